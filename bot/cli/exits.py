"""Exit codes of commands."""

DONE = 0
FAILED = 1
"""The command was refused, or failed."""
USAGE = 2
INTERRUPTED = 130
"""By convention 128 plus the number of the signal."""
