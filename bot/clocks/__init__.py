"""This machine's clock, and the outside clocks that it is compared with."""

from bot.clocks.guard import ClockGuard, last_run_of

__all__ = ["ClockGuard", "last_run_of"]
