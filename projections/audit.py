"""Audits: the events and scores of a span of time, with every score explained."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from ledger.events import EventRow
from ledger.instants import DAY, Instant
from projections.activity import Activity, activity
from projections.as_of import AsOf, engagements_as_of
from projections.explanation import Explanation, Sourced, explain
from projections.policy import Adopted
from projections.ranking import Ranked, ranking
from projections.timeline import ScoreSeries, score_series

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
