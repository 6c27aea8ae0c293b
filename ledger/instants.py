"""Instants as integer microseconds UTC since 1970: what the ledger stores and compares (R8)."""

from datetime import UTC, datetime, timedelta
from typing import NewType

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00:00Z, without leap seconds."""

DAY = 86_400_000_000
"""Microseconds in a whole day."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = -62_135_596_800_000_000
_LAST = 253_402_300_799_999_999


def instant_of(moment: datetime) -> Instant:
    """Return the instant of an aware `moment`, exact to the microsecond.

    Raises ValueError for a naive one, which without a zone names no instant, and for one that in
    UTC falls outside the years 1 to 9999.
    """
    try:
        elapsed = moment - _EPOCH
    except TypeError:  # checking for the offset first would take as long as everything else
        message = "needs a time zone, such as 2026-01-31T10:00:00Z"
        raise ValueError(message) from None
    instant = elapsed.days * DAY + elapsed.seconds * 1_000_000 + elapsed.microseconds
    if not _FIRST <= instant <= _LAST:
        message = "is outside the years 1 to 9999"
        raise ValueError(message)
    return Instant(instant)


def moment_of(instant: Instant) -> datetime:
    """Return the aware UTC datetime of `instant`; the inverse of `instant_of`."""
    return _EPOCH + timedelta(microseconds=instant)


def iso(instant: Instant) -> str:
    """Return ISO 8601 in UTC ending in Z, with microseconds only where there are any."""
    return moment_of(instant).replace(tzinfo=None).isoformat() + "Z"
