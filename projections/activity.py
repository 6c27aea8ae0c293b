"""Activity: interactions counted by time, user and issue."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from ledger.commands import Kind
from ledger.events import EventRow
from ledger.instants import Instant, moment_of

DAYS_OF_WEEK, HOURS_OF_DAY = 7, 24

Key = TypeVar("Key")

_ONE_WEEK = dt.timedelta(days=DAYS_OF_WEEK)


class Tally(NamedTuple):
    """The number of interactions of each kind."""

    mentions: int = 0
    views: int = 0
    queries: int = 0

    @property
    def total(self) -> int:
        """The interactions of all kinds."""
        return sum(self)


class Week(NamedTuple):
    """The interactions of the week that begins on `monday`."""

    monday: dt.date
    tally: Tally


class UserActivity(NamedTuple):
    """The interactions of one user, given by the number of the account."""

    stream: int
    tally: Tally


class IssueActivity(NamedTuple):
    """The interactions of all users with one issue."""

    issue_id: str
    tally: Tally


class Activity(msgspec.Struct, frozen=True):
    """The activity in some events, by the calendar and clock of a zone.

    `weeks` has all weeks between the first and the last. `weekdays` begin with Monday and `hours`
    with midnight. `users` and `issues` come by their interactions descending. `late` are the
    interactions that were recorded more than a day after they occurred; these and `overrides` come
    as they occurred.
    """

    tally: Tally
    weeks: tuple[Week, ...]
    weekdays: tuple[Tally, ...]
    hours: tuple[Tally, ...]
    users: tuple[UserActivity, ...]
    issues: tuple[IssueActivity, ...]
    late: tuple[EventRow, ...]
    overrides: tuple[EventRow, ...]


def activity(rows: Iterable[EventRow], zone: ZoneInfo) -> Activity:
    """Count the activity in `rows`, of any users and in any order, by the calendar of `zone`."""
    ordered = sorted(rows, key=_order)
    touches = [row for row in ordered if row.kind is not None]
    there = [_local(row, zone) for row in touches]
    kinds = [Kind(row.kind or 0) for row in touches]
    users = _tallies((row.stream for row in touches), kinds)
    issues = _tallies((row.issue_id for row in touches), kinds)
    weekdays = _tallies((each.weekday() for each in there), kinds)
    hours = _tallies((each.hour for each in there), kinds)
    return Activity(
        tally=_tally(Counter(kinds)),
        weeks=tuple(_weeks(_tallies(map(_monday, there), kinds))),
        weekdays=tuple(weekdays.get(day, Tally()) for day in range(DAYS_OF_WEEK)),
        hours=tuple(hours.get(hour, Tally()) for hour in range(HOURS_OF_DAY)),
        users=tuple(sorted((UserActivity(*each) for each in users.items()), key=_most_first)),
        issues=tuple(sorted((IssueActivity(*each) for each in issues.items()), key=_most_first)),
        late=tuple(row for row in touches if row.is_late),
        overrides=tuple(row for row in ordered if row.kind is None),
    )


def _order(row: EventRow) -> tuple[int, int]:
    return row.occurred_at, row.position


def _local(row: EventRow, zone: ZoneInfo) -> dt.datetime:
    moment = moment_of(Instant(row.occurred_at))
    try:
        return moment.astimezone(zone)
    except OverflowError:  # the last hours of the year 9999, east of Greenwich
        return moment


def _monday(there: dt.datetime) -> dt.date:
    day = there.date()
    return day - dt.timedelta(days=day.weekday())


def _tallies(keys: Iterable[Key], kinds: Sequence[Kind]) -> dict[Key, Tally]:
    counts: dict[Key, Counter[Kind]] = {}
    for key, kind in zip(keys, kinds, strict=True):
        counts.setdefault(key, Counter())[kind] += 1
    return {key: _tally(count) for key, count in counts.items()}


def _tally(counts: Counter[Kind]) -> Tally:
    return Tally(counts[Kind.MENTION], counts[Kind.VIEW], counts[Kind.QUERY])


def _weeks(tallies: dict[dt.date, Tally]) -> Iterator[Week]:
    if tallies:
        monday, last = min(tallies), max(tallies)
        for number in range((last - monday).days // DAYS_OF_WEEK + 1):
            each = monday + number * _ONE_WEEK
            yield Week(each, tallies.get(each, Tally()))


def _most_first(each: UserActivity | IssueActivity) -> tuple[int, str]:
    return -each.tally.total, str(each[0])
