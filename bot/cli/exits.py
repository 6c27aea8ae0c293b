"""Exit codes."""

DONE = 0
FAILED = 1
"""Refused, or failed."""
USAGE = 2
INTERRUPTED = 130
"""By convention 128 and the number of the signal."""
