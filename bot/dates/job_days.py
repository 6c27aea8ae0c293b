"""The logical days of a scheduled job that are due, computed on demand instead of by an alarm.

A trigger at midnight misses a day whose midnight the clocks skip, and fires twice if they are put
back over it. Here the wall clock only determines the last day that is over; every logical day up to
it that was not done yet is due.
"""

import datetime as dt
from typing import NamedTuple

_DAY = dt.timedelta(days=1)


class Schedule(NamedTuple):
    """When a job's logical days become due, by the wall clock of a zone."""

    job: str
    """The job's id."""
    due_after: dt.timedelta
    """The wall-clock time from the midnight at which a day begins until it is due."""
    weekday: int | None = None
    """The day of the week with work, 0 for Monday; None for every day."""


DECAY = Schedule("engagement_decay", due_after=_DAY)
"""Daily at midnight: a day is due when it is over."""

CLEANUP = Schedule("engagement_cleanup", due_after=dt.timedelta(hours=2), weekday=6)
"""Weekly: a Sunday is due from 02:00 on."""

EXPIRY = Schedule("engagement_expiry", due_after=_DAY)
"""Daily at midnight, as DECAY."""

RESOLUTION = Schedule("linear_resolution", due_after=_DAY)
"""Daily at midnight, as DECAY."""


def due_days(
    schedule: Schedule, last_done: dt.date | None, now: dt.datetime, zone: dt.tzinfo
) -> list[dt.date]:
    """Return the logical days after `last_done` that are due at the aware `now`, the oldest first.

    All of them, or only the latest if no day was ever done. A day is due as soon as the wall clock
    of `zone` shows its time or a later one, so a time that is skipped or repeated neither loses nor
    repeats a day. A date that the zone itself skipped is never due.
    """
    latest = (_wall(now, zone) - schedule.due_after).toordinal()
    if last_done is None:
        back = map(dt.date.fromordinal, range(latest, 0, -1))
        return [next(day for day in back if _has(schedule, day, zone))]
    missed = map(dt.date.fromordinal, range(last_done.toordinal() + 1, latest + 1))
    return [day for day in missed if _has(schedule, day, zone)]


def _has(schedule: Schedule, day: dt.date, zone: dt.tzinfo) -> bool:
    return schedule.weekday in {None, day.weekday()} and _existed(day, zone)


def _existed(day: dt.date, zone: dt.tzinfo) -> bool:
    """Whether the date existed in the zone: only a skipped date lacks its first and last moment."""
    first = dt.datetime.combine(day, dt.time.min)
    last = dt.datetime.combine(day, dt.time.max)
    return any(_wall(wall.replace(tzinfo=zone), zone) == wall for wall in (first, last))


def _wall(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    # Via UTC, because a conversion within the zone would return a nonexistent time unchanged.
    return moment.astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None)
