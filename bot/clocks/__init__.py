"""The clock of this machine, and those outside that it is compared with."""

from bot.clocks.guard import ClockGuard

__all__ = ["ClockGuard"]
