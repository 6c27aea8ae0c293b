"""The command line: `engagement`, also `python -m bot`."""

import sys

from bot.cli.exits import INTERRUPTED

try:
    from bot.cli.main import main
except KeyboardInterrupt:  # loading takes long enough for a Ctrl-C
    sys.stderr.write("error: interrupted\n")
    sys.exit(INTERRUPTED)

__all__ = ["main"]
