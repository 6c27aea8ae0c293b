"""The system clock, as the default of callers that inject none."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present as an aware datetime."""


def utc_now() -> datetime:
    """Return the present in UTC."""
    return datetime.now(UTC)
