"""Moments in ISO 8601 and RFC 3339, including forms that Python's own parser refuses."""

import re
from datetime import UTC, datetime, timedelta

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
