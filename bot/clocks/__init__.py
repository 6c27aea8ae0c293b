"""The clock of this machine, and those outside that it is compared with."""

from bot.clocks.guard import ClockGuard, last_run_of

__all__ = ["ClockGuard", "last_run_of"]
