"""Instants as integer microseconds UTC since 1970, and how they are read from ISO 8601 (R8)."""

import re
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


# Moments in ISO 8601 and RFC 3339, including forms that Python's own parser refuses.

_FRACTION_AND_ZONE = r"(?P<rest>(?:[.,][0-9]+)?(?:Z|[+-][0-9:]+)?)"
_LEAP_SECOND = re.compile(rf"(?P<before>.+[T ][0-9]{{2}}:?[0-9]{{2}}:?)60{_FRACTION_AND_ZONE}")
_MIDNIGHT = re.compile(
    r"(?P<before>.+[T ])24(?P<rest>(?::?00){0,2}(?:(?<=00)[.,]0+)?(?:Z|[+-][0-9:]+)?)"
)


def moment_of_iso(text: str) -> datetime:
    """Parse `text` as a moment, which is naive if it has no zone.

    T and Z may be in lower case, 24:00 is the end of its day, and a leap second is the second after
    it, which has the same number on clocks without leap seconds. Raises ValueError for anything
    else, and OverflowError for the end of the last day there is.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return _rarely_written(text.upper())


def _rarely_written(text: str) -> datetime:
    if match := _MIDNIGHT.fullmatch(text):
        return datetime.fromisoformat(f"{match['before']}00{match['rest']}") + timedelta(days=1)
    if match := _LEAP_SECOND.fullmatch(text):
        before = datetime.fromisoformat(f"{match['before']}59{match['rest']}")
        return _after_leap_second(before + timedelta(seconds=1))
    return datetime.fromisoformat(text)


def _after_leap_second(moment: datetime) -> datetime:
    """Return the moment; raises ValueError if no leap second can end there."""
    there = moment if moment.tzinfo is None else moment.astimezone(UTC)
    if (there.day, there.hour, there.minute, there.second) != (1, 0, 0, 0):
        message = "a leap second ends a month in UTC"
        raise ValueError(message)
    return moment
