"""The clock of the world, for whoever does not bring one."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present as an aware datetime."""


def utc_now() -> datetime:
    """Return the present in UTC."""
    return datetime.now(UTC)
