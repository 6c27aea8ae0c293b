"""Days, times and periods of a time zone, also where its clocks are put forward or back."""

import datetime as dt
from collections.abc import Iterator
from itertools import count, takewhile
from zoneinfo import ZoneInfo

from ledger.errors import LedgerError
from ledger.instants import DAY, Instant, instant_of, moment_of

# Instants of local days and times, including those that a zone's clocks skip or repeat.
#
# All results are in UTC, because datetimes of one zone that differ only in `fold` compare as equal.
# Each function raises OverflowError for results outside the years 1 to 9999 in UTC.

_TICK = dt.timedelta(microseconds=1)


def first_instant(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """Return the first instant of `day`; for a skipped date, that of the day that replaced it."""
    return moment_at(dt.datetime.combine(day, dt.time.min), zone, second=False)


def last_instant(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """Return the last instant of `day`; for a skipped date, the last one before it.

    If clocks were put back over the end of the day, the later of the two ends counts.
    """
    local = dt.datetime.combine(day, dt.time.max)
    shown = _shown(local, zone, second=True)
    return _jump_over(local, zone) - _TICK if shown is None else shown


def moment_at(local: dt.datetime, zone: ZoneInfo, *, second: bool) -> dt.datetime:
    """Return the moment when the clocks of `zone` show the naive `local`.

    If they show it twice, `second` chooses the later one. If they skip it, the result is the moment
    of the skip.
    """
    return _shown(local, zone, second=second) or _jump_over(local, zone)


def _shown(local: dt.datetime, zone: ZoneInfo, *, second: bool) -> dt.datetime | None:
    moment = local.replace(tzinfo=zone, fold=second).astimezone(dt.UTC)
    is_shown = moment.astimezone(zone).replace(tzinfo=None) == local
    return moment if is_shown else None


def _jump_over(local: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    # In a gap, the offset from after it (fold=1) gives an instant before it, and the other way
    # round (PEP 495). The offset changes once between them.
    before, after = (local.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (1, 0))
    offset = before.astimezone(zone).utcoffset()
    while after - before > _TICK:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


# The ends of the hours, days, weeks and months of a span.

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
