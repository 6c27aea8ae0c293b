"""The ends of the hours, days, weeks and months of a span."""

import datetime as dt
from collections.abc import Iterator
from itertools import count, takewhile
from zoneinfo import ZoneInfo

from bot.local_times import last_instant
from ledger.errors import LedgerError
from ledger.instants import DAY, Instant, instant_of, moment_of

PERIODS = ("hour", "day", "week", "month")

MOST_POINTS = 10_000
"""More points than anyone reads, and few enough to compute quickly."""

_HOUR = DAY // 24
_ONE_DAY = dt.timedelta(days=1)


class TooManyPointsError(LedgerError, ValueError):
    """A span that holds more than MOST_POINTS periods."""


def ends_of(period: str, start: Instant, end: Instant, zone: ZoneInfo) -> list[Instant]:
    """Return the last instants of the `period`s from `start` on, ascending, with `end` as the last.

    Days, weeks (which end on Sunday) and months follow the calendar of `zone`, hours its clocks.
    Raises ValueError if `start` is after `end`, and TooManyPointsError for more than MOST_POINTS.
    """
    if start > end:
        message = "the span must not end before it begins"
        raise ValueError(message)
    instants: list[Instant] = []
    for each in takewhile(lambda each: each < end, _ends(period, start, zone)):
        if not instants or each > instants[-1]:  # a skipped date ends with the day before
            instants.append(each)
        if len(instants) == MOST_POINTS:
            message = f"there are more than {MOST_POINTS:,} {period}s in that span"
            raise TooManyPointsError(message)
    return [*instants, end]


def _ends(period: str, start: Instant, zone: ZoneInfo) -> Iterator[Instant]:
    there = moment_of(start).astimezone(zone)
    if period == "hour":
        begun = there.replace(minute=0, second=0, microsecond=0)
        return (Instant(instant_of(begun) + n * _HOUR - 1) for n in count(1))
    days = map(dt.date.fromordinal, range(there.toordinal(), dt.date.max.toordinal()))
    return (instant_of(last_instant(day, zone)) for day in days if _closes(period, day))


def _closes(period: str, day: dt.date) -> bool:
    if period == "week":
        return day.weekday() == 6  # noqa: PLR2004 - Sunday
    return period == "day" or (day + _ONE_DAY).day == 1
