"""The comparison of this machine's clock with outside clocks."""

from bot.clocks.guard import ClockGuard, last_run_of

__all__ = ["ClockGuard", "last_run_of"]
