"""A model of the ledger: one plain list of events, and its answers to every question.

It has no rows, segments or read models: each answer is folded from the whole list.
"""

from collections import defaultdict
from typing import Any, NamedTuple, cast
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent

from ledger import codec
from ledger.as_of import AsOf
from ledger.events import OBSERVATION, AccountEvent, EventRow, InteractionRecorded
from ledger.instants import Instant, instant_of
from ledger.store.accounts import users
from ledger.store.event_queries import HistoryEntry, Uncounted, UserRows
from ledger.store.user_history import Page
from projections.application import Engagements
from projections.application.audit_reader import Audited
from projections.audit import audit
from projections.engagement import NONE, engagements_as_of
from projections.evaluation import Judge
from projections.explanation import Sourced, explain, explain_order
from projections.policy import Adopted
from projections.ranking import ranked, ranking
from projections.read_model import past_queries
from projections.read_model.adopted_policies import FIRST
from projections.timeline import score_series
from tests.support.event_rows import event_row
from tests.support.reference_statistics import statistics_of
from tests.support.strategies import NOON
from tests.support.trials.questions import CHATS, LIMIT, TRIED, ZONE, Question


class ListedEvent(NamedTuple):
    """An event between a user and an issue; the user is None once forgotten."""

    user: str | None
    row: EventRow
    event: AccountEvent
    origin: codec.Origin
    chat: str | None
    key: str | None


class ListModel:
    """Everything that was recorded in a ledger, in lists."""

    def __init__(self) -> None:
        self.told: list[ListedEvent] = []
        self.notifications: list[Notification] = []
        self.policies: list[Adopted] = [FIRST]
        self.barred: dict[str, int] = {}
        self.recorded_at = 0

    @property
    def keys(self) -> dict[str, int]:
        """The source keys that were counted, and the positions that they were counted as."""
        return {each.key: each.row.position for each in self.told if each.key}

    @property
    def instants(self) -> list[int]:
        """All instants at which events occurred or were recorded."""
        rows = [each.row for each in self.told]
        return [NOON, *(row.occurred_at for row in rows), *(row.recorded_at for row in rows)]

    def touched(self, user: str, issue: str) -> bool:
        """Whether there is an interaction of the user with the issue."""
        return any(row.issue_id == issue and row.kind for row in self._rows(user, 0))

    def forget(self, user: str, at: int) -> None:
        """Detach the user's events from the user, and refuse earlier ones from now on."""
        self.barred[user] = max(at, self.barred.get(user, 0))
        self.told = [
            each._replace(user=None, origin=codec.Origin(), key=None) if each.user == user else each
            for each in self.told
        ]

    def expire(self, before: int) -> int:
        """Forget contexts and sources of earlier records; return of how many events."""
        had = sum(each.origin != codec.Origin() for each in self.told)
        self.told = [
            each._replace(origin=codec.Origin()) if each.row.recorded_at < before else each
            for each in self.told
        ]
        return had - sum(each.origin != codec.Origin() for each in self.told)

    def answers(self, question: Question, engagements: Engagements) -> dict[str, object]:
        """The answers that the ledger must give; it supplies only the numbers of the accounts."""
        now = instant_of(engagements.clock())
        streams = streams_of(engagements)
        rows = self._rows(question.user, streams.get(question.user, 0))
        as_of, adopted = AsOf(question.at, question.known_at), self._adopted(question.known_at)
        instant = as_of.instant(now)
        folded = engagements_as_of(rows, as_of)
        order = ranking(folded, instant, adopted.policy)
        first = order[:LIMIT]
        own = dict(folded).get(question.issue, NONE)
        sourced = [
            Sourced(each.row, each.origin.source)
            for each in self.told
            if (each.user, each.row.issue_id) == (question.user, question.issue)
        ]
        known = AsOf(None, question.known_at).of(rows)
        history = self._history(question.user, as_of)
        of_one = [each for each in history if each.event.issue_id == question.issue]
        found = {
            "ask": ranked(question.issue, own, instant, adopted.policy),
            "top": first,
            "ranking": order,
            "statistics": statistics_of(order),
            "history": history,
            "history of one": of_one,
            "first of history": Page(history[:LIMIT], len(history)),
            "latest of history": Page(history[::-1][:LIMIT], len(history)),
            "latest of one": Page(of_one[::-1][:LIMIT], len(of_one)),
            "explain": explain(sourced, question.issue, as_of, instant, adopted),
            "explain_order": (
                explain_order(first[0], first[1], instant, adopted) if len(first) > 1 else None
            ),
            "series": score_series(question.issue, known, *question.span, adopted.policy),
            **self.recorded(question),
        }
        if question.is_laborious:
            found |= {
                "try_policy": self._tried(question, now),
                "audit": self._audit(question, streams, None),
                "audit of one": self._audit(question, streams, question.user),
                "spans": {chat: self._spans(chat) for chat in CHATS},
            }
        return found

    def _rows(self, user: str, stream: int) -> list[EventRow]:
        return [each.row._replace(stream=stream) for each in self.told if each.user == user]

    def _adopted(self, known_at: int | None) -> Adopted:
        known = (
            each for each in self.policies if known_at is None or (each.adopted_at or 0) <= known_at
        )
        return max(known, key=lambda each: each.version)

    def _history(self, user: str, as_of: AsOf) -> list[HistoryEntry]:
        seen = [
            HistoryEntry(each.row.position, each.event, each.origin, None, each.row.linear_id)
            for each in self.told
            if each.user == user and as_of.sees(each.row.occurred_at, each.row.recorded_at)
        ]
        return sorted(seen, key=lambda entry: (entry.event.occurred_at, entry.position))

    def _tried(self, question: Question, now: Instant) -> past_queries.PolicyTrial:
        as_of, in_force = AsOf(question.at), self.policies[-1].policy
        accounts = sorted(
            {(str(each.event.originator_id), each.user) for each in self.told if each.user}
        )
        everybody = [UserRows(user, None, self._rows(user, 0)) for _, user in accounts]
        judge = Judge(dict.fromkeys((in_force, TRIED)), ZONE)
        moment = (as_of, as_of.instant(now))
        return past_queries.tried(everybody, (in_force, TRIED), moment, judge, lambda _: None)

    def _audit(self, question: Question, streams: dict[str, int], user: str | None) -> Audited:
        rows = [
            row
            for name, stream in streams.items()
            if user in {None, name}
            for row in self._rows(name, stream)
        ]
        start, end = question.span
        names = {stream: name for name, stream in streams.items()}
        span = (None if user is None else start, end)
        adopted = self._adopted(question.known_at)
        found = audit(rows, names, adopted, span, question.known_at, ZONE)
        forgotten = sum(each.user is None for each in self.told)
        observed = sum(each.topic == OBSERVATION for each in self.notifications)  # one key each
        return Audited(found, Uncounted(forgotten, len(self.keys) + observed))

    def _spans(self, chat: str) -> dict[str, tuple[int, int]]:
        found = defaultdict(list)
        for each in self.told:
            if each.user and each.chat == chat:
                found[each.user].append(each.row.occurred_at)
        return {user: (min(instants), max(instants)) for user, instants in found.items()}

    def recorded(self, question: Question) -> dict[str, object]:
        """The answers that the recorder must give about all events, the ledger's own included."""
        least, most = question.position, question.position + question.limit
        return {
            "notifications": [
                each
                for each in self.notifications
                if each.id >= least and each.topic in (question.topics or {each.topic})
            ][: question.limit],
            "notifications between": [
                each for each in self.notifications if least < each.id <= most
            ],
            "events": sorted(
                (
                    StoredEvent(each.originator_id, each.originator_version, each.topic, each.state)
                    for each in self.notifications
                    if each.originator_id == question.originator
                    and each.originator_version > question.limit // 4
                ),
                key=lambda event: event.originator_version,
                reverse=question.desc,
            )[: question.limit],
            "last": len(self.notifications) or None,
        }


def row_of(notification: Notification) -> EventRow:
    """The row that folds read of a notified event."""
    event: Any = event_of(notification)
    is_touch = isinstance(event, InteractionRecorded)
    return event_row(
        notification.id,
        0,
        event.issue_id,
        int(event.kind) if is_touch else None,
        event.occurred_at,
        event.linear_id if is_touch else None,
        None if is_touch else event.score,
        event.recorded_at,
    )


def event_of(notification: Notification) -> Any:
    """The event of a notification."""
    return codec.decode(
        notification.topic,
        cast("UUID", notification.originator_id),
        notification.originator_version,
        notification.state,
    )


def told(notification: Notification) -> ListedEvent:
    """The entry of a notified event; the recorder does not report its user and place."""
    row, event = row_of(notification), event_of(notification)
    return ListedEvent(None, row, event, codec.Origin(), None, None)


def streams_of(engagements: Engagements) -> dict[str, int]:
    """The numbers of the users' accounts."""
    with engagements.ledger.database.read() as connection:
        return {user_id: stream for stream, user_id, _ in users(connection)}
