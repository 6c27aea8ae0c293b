"""Which logical days of a scheduled job are due: a question to ask often, no alarm to hear once.

A trigger at midnight skips the day whose midnight the clocks jump over, and rings twice where they
go back over it. Here the wall clock only says how far the days have come; what is due is every
logical day up to there that was not done yet.
"""

import datetime as dt
from typing import NamedTuple

_DAY = dt.timedelta(days=1)


class Schedule(NamedTuple):
    """When a job's logical days are over, by the wall clock of a zone."""

    job: str
    """The job's id."""
    due_after: dt.timedelta
    """How long after its midnight a day is due, as the wall clock counts."""
    weekday: int | None = None
    """The only day of the week that there is work for, 0 for Monday; None stands for every day."""


DECAY = Schedule("engagement_decay", due_after=_DAY)
"""Daily at midnight: a day is due when it is over."""

CLEANUP = Schedule("engagement_cleanup", due_after=dt.timedelta(hours=2), weekday=6)
"""Weekly: a Sunday is due from 02:00 on."""

EXPIRY = Schedule("engagement_expiry", due_after=_DAY)
"""Daily at midnight, as DECAY."""


def due_days(
    schedule: Schedule, last_done: dt.date | None, now: dt.datetime, zone: dt.tzinfo
) -> list[dt.date]:
    """Return the logical days after `last_done` that are due at the aware `now`, the oldest first.

    All of them, however long nobody asked; where nothing was ever done, only the latest. A day is
    due as soon as the wall clock of `zone` shows its time or a later one, so none is skipped when
    that time does not exist, and none comes twice when it comes twice. A day that the zone itself
    left out is none.
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
    """Tell whether the day's first or last moment existed: no zone ever left out both but a day."""
    first = dt.datetime.combine(day, dt.time.min)
    last = dt.datetime.combine(day, dt.time.max)
    return any(_wall(wall.replace(tzinfo=zone), zone) == wall for wall in (first, last))


def _wall(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    # By way of UTC, or a time of the zone itself that does not exist would come back as it is.
    return moment.astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None)
