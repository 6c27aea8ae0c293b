"""The command line: `engagement`, also `python -m bot`."""

import gc
import sys

from bot.cli.exits import INTERRUPTED

# Importing makes few cycles, and so does what follows: looking for them after every 700 objects
# took a tenth of a start.
gc.set_threshold(50_000)

try:
    from bot.cli.main import main
except KeyboardInterrupt:  # loading takes long enough for a Ctrl-C
    sys.stderr.write("error: interrupted\n")
    sys.exit(INTERRUPTED)

__all__ = ["main"]
