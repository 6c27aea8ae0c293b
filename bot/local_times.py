"""Instants of local days and times, including those that a zone's clocks skip or repeat.

All results are in UTC, because datetimes of one zone that differ only in `fold` compare as equal.
Each function raises OverflowError for results outside the years 1 to 9999 in UTC.
"""

import datetime as dt
from zoneinfo import ZoneInfo

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
