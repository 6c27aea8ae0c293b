"""Audits: what a ledger says of a span of time, activity counted and every score taken apart."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import add
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from ledger.as_of import AsOf
from ledger.commands import OVERRIDE, Kind
from ledger.events import EventRow
from ledger.instants import DAY, Instant, moment_of
from projections.engagement import NONE, engagements_as_of
from projections.explanation import Explanation, Sourced, explain
from projections.policy import Adopted
from projections.ranking import Ranked, ranking
from projections.timeline import ScoreSeries, score_series

# Activity: interactions counted by time, user and issue.

DAYS_OF_WEEK, HOURS_OF_DAY = 7, 24

Key = TypeVar("Key")

_ONE_WEEK = dt.timedelta(days=DAYS_OF_WEEK)


class Tally(NamedTuple):
    """Numbers of interactions by kind."""

    counts: tuple[int, ...] = NONE.counts

    @property
    def total(self) -> int:
        """The interactions of all kinds."""
        return sum(self.counts)

    def plus(self, other: "Tally") -> "Tally":
        """The numbers of both together."""
        return Tally(tuple(map(add, self.counts, other.counts)))


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
    touches = [row for row in ordered if row.is_interaction]
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
        overrides=tuple(row for row in ordered if row.topic == OVERRIDE),
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
    return Tally(tuple(counts[kind] for kind in Kind))


def _weeks(tallies: dict[dt.date, Tally]) -> Iterator[Week]:
    if tallies:
        monday, last = min(tallies), max(tallies)
        for number in range((last - monday).days // DAYS_OF_WEEK + 1):
            each = monday + number * _ONE_WEEK
            yield Week(each, tallies.get(each, Tally()))


def _most_first(each: UserActivity | IssueActivity) -> tuple[int, str]:
    return -each.tally.total, str(each[0])


# The audit: the events of a span of time, and its scores with their explanations.

USERS_PORTRAYED = ISSUES_PORTRAYED = 5

SHOWN_DAYS = 90
"""Days until a score is nearly 0, and the least days that a chart shows of it."""

LONG_AGO_DAYS = 30
"""Days without an event after which an audit ends with the last event by default."""


class Story(NamedTuple):
    """A user's score of an issue over the span, and its explanation at the end of the span.

    The series covers the part of the span in which the score is worth showing.
    """

    series: ScoreSeries
    explanation: Explanation


class Portrait(NamedTuple):
    """A user's issues: the first of the ranking at the end of the span."""

    stream: int
    stories: tuple[Story, ...]

    @property
    def ranked(self) -> list[Ranked]:
        """The issues in the order of the ranking."""
        return [story.explanation.ranked for story in self.stories]


class Audit(msgspec.Struct, frozen=True):
    """The audit of the span from `start` to `end`, inclusive, as known at a moment.

    `names` are the users' display names, by the numbers of their accounts.
    """

    start: Instant
    end: Instant
    known_at: Instant | None
    adopted: Adopted
    names: Mapping[int, str]
    activity: Activity
    portraits: tuple[Portrait, ...]


def is_long_ago(last_at: Instant, now: Instant) -> bool:
    """Whether the last event of a history is so old that present scores have faded."""
    return now - last_at > LONG_AGO_DAYS * DAY


def audit(  # noqa: PLR0913, PLR0917 - all that a ledger has to say
    rows: Iterable[EventRow],
    names: Mapping[int, str],
    adopted: Adopted,
    span: tuple[Instant | None, Instant],
    known_at: Instant | None,
    zone: ZoneInfo,
) -> Audit:
    """Audit a span; without a start, from the first event on.

    Scores at the end include the events before the span. Raises ValueError if the span ends before
    it begins.
    """
    start, end = span
    seen = AsOf(end, known_at).of(rows)
    if start is None:
        start = Instant(min((row.occurred_at for row in seen), default=end))
    if start > end:
        message = "the span must not end before it begins"
        raise ValueError(message)
    found = activity((row for row in seen if row.occurred_at >= start), zone)
    of_users = defaultdict(list)
    for row in seen:
        of_users[row.stream].append(row)
    streams = [each.stream for each in found.users[:USERS_PORTRAYED]]
    portraits = tuple(
        _portrait(of_users[stream], Audit(start, end, known_at, adopted, names, found, ()))
        for stream in streams
    )
    return Audit(start, end, known_at, adopted, names, found, portraits)


def _portrait(rows: Sequence[EventRow], frame: Audit) -> Portrait:
    policy = frame.adopted.policy
    ranked = ranking(engagements_as_of(rows, AsOf(frame.end)), frame.end, policy)
    stories = tuple(_story(rows, each.issue_id, frame) for each in ranked[:ISSUES_PORTRAYED])
    return Portrait(rows[0].stream, stories)


def _story(rows: Sequence[EventRow], issue_id: str, frame: Audit) -> Story:
    as_of = AsOf(frame.end, frame.known_at)
    # Readable sources may name chats, and reports are passed on to others.
    events = [Sourced(row, None) for row in rows]
    start, end = _window([row.occurred_at for row in rows if row.issue_id == issue_id], frame)
    return Story(
        score_series(issue_id, rows, start, end, frame.adopted.policy),
        explain(events, issue_id, as_of, frame.end, frame.adopted),
    )


def _window(instants: Sequence[int], frame: Audit) -> tuple[Instant, Instant]:
    """The part of the span in which the score of an issue is worth showing.

    It goes from the first event within the span to SHOWN_DAYS after the last, and is at least
    SHOWN_DAYS long if the span is.
    """
    within = [at for at in instants if at >= frame.start] or [frame.end]
    end = min(frame.end, max(within) + SHOWN_DAYS * DAY)
    start = max(frame.start, min(*within, end - SHOWN_DAYS * DAY))
    return Instant(start), Instant(end)
