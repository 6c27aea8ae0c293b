"""The command line: `engagement`, also `python -m bot`."""

import gc
import sys

from bot.cli.exits import INTERRUPTED

# Importing creates few reference cycles, as do most commands, but collecting after every 700
# objects took a tenth of the start-up time.
gc.set_threshold(50_000)

try:
    from bot.cli.main import main
except KeyboardInterrupt:  # Ctrl-C while the modules load
    sys.stderr.write("error: interrupted\n")
    sys.exit(INTERRUPTED)

__all__ = ["main"]
