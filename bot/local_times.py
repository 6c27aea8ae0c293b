"""Days and times of day as instants, also where the clocks of a zone are put forward or back.

All results are in UTC: datetimes of one zone that differ in `fold` only would compare as equal.
Each function raises OverflowError for what in UTC is outside the years 1 to 9999.
"""

import datetime as dt
from zoneinfo import ZoneInfo

_TICK = dt.timedelta(microseconds=1)


def first_instant(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """Return the first instant of `day`; of a day that was left out, the one that came instead."""
    return moment_at(dt.datetime.combine(day, dt.time.min), zone, second=False)


def last_instant(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """Return the last instant of `day`; of a day that was left out, the last one before it.

    A day that ends twice, since clocks were put back over its end, ends the second time.
    """
    local = dt.datetime.combine(day, dt.time.max)
    shown = _shown(local, zone, second=True)
    return _jump_over(local, zone) - _TICK if shown is None else shown


def moment_at(local: dt.datetime, zone: ZoneInfo, *, second: bool) -> dt.datetime:
    """Return the moment when the clocks of `zone` show the naive `local`.

    Where they show it twice, `second` says which one is meant. Where they jump over it, that is
    the moment of the jump.
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
