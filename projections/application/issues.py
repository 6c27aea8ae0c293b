"""Questions about Linear's issues, answered from the observations in the ledger."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Connection

from ledger import store
from ledger.as_of import AsOf, Moment
from ledger.events import IssueObserved
from ledger.instants import Instant, instant_of
from ledger.links import LinearUser
from ledger.observations import USER_PREFIX, Person, Text, order_of
from ledger.store.database import Database
from ledger.store.linear_links import linear_user_of
from ledger.validation import issue_id_of, user_id_of
from projections import read_model
from projections.issue_history import (
    IssueAt,
    StateSpan,
    is_stagnant,
    issue_at,
    state_spans,
    unmoved_days,
    usual_working_days,
)
from projections.read_model import queries
from projections.read_model.linear_ids import LinearIds, keys_found
from projections.read_model.moved_issues import MovedIssues

LAST = 100
"""How many observations may come out of the order of their changes."""


class KnownBlocker(NamedTuple):
    """An issue that blocks another, as of a moment, and by all that is recorded."""

    at: IssueAt
    now: IssueAt


class KnownIssue(msgspec.Struct, frozen=True):
    """An issue as of a moment, with its spans in states, and the texts and people that it names.

    `now` is the same issue by all that is recorded, which decides who may see it, and `updated_at`
    its latest change. `said_at` is when Linear last described it. Texts that were deleted, people
    who were forgotten, and blockers that Linear never described themselves are missing.
    """

    at: IssueAt
    now: IssueAt
    updated_at: Instant
    spans: Sequence[StateSpan]
    said_at: Instant
    texts: Mapping[str, Text]
    people: Mapping[UUID, Person]
    blockers: Mapping[str, KnownBlocker]

    def text(self, id_: str | None) -> str | None:
        """The title or name of what has this id at Linear."""
        found = None if id_ is None else self.texts.get(id_)
        return None if found is None else found.text


ROLES = ("assignee", "actor")
"""The fields of an observation that name people."""


class Naming(NamedTuple):
    """An observation, with effective instants, and the roles in which it names a person."""

    event: IssueObserved
    roles: tuple[str, ...]


class RecordedKeys(msgspec.Struct, frozen=True):
    """The keys with which anything of users is recorded, and those that look-ups have named.

    `first` has the position of the first event with each key, in this order. `present` were named
    as the present key of an issue, `former` only as one that it had before.
    """

    first: Mapping[str, int]
    present: frozenset[str]
    former: frozenset[str]


class Issues:
    """The issues of Linear that the ledger knows."""

    def __init__(self, database: Database, moved: MovedIssues) -> None:
        """Read from `database`; `moved` keeps the names of its issues."""
        self._database, self._moved = database, moved

    def linear_ids(self, asked: Iterable[tuple[str, Instant | None]]) -> list[str | None]:
        """Linear's UUID of the issue that each key named at an instant, or names now.

        None unless a look-up found the issue, which hidden ones are not.
        """
        with self._database.read() as connection:
            names = self._moved.names(connection, self._database)
            ids = LinearIds(connection, self._database, names)
            return [ids.of(key, at) for key, at in asked]

    def recorded_keys(self) -> RecordedKeys:
        """All keys that users' events have, which Linear may know or not."""
        with self._database.read() as connection:
            first = queries.first_positions(connection)
            named = keys_found(connection, self._database)
        in_order = {key: first[key] for key in sorted(first, key=first.__getitem__)}
        return RecordedKeys(in_order, *map(frozenset, named))

    def issue(self, key: str, at: Moment = None, known_at: Moment = None) -> KnownIssue | None:
        """The issue that has the key, or else the one that had it last, as of a moment.

        Which issue that is, is decided by all that was known at that moment: an issue is found by
        later keys, too. None if Linear had not described it yet.
        """
        key, as_of = issue_id_of(key), AsOf.of_moments(at, known_at)
        with self._database.read() as connection:
            events = _named(connection, self._database, key, AsOf(None, as_of.known_at))
            found = issue_at(events, as_of)
            return (
                None
                if found is None
                else _with_words(connection, self._database, found, events, as_of)
            )

    def stagnant_days(
        self, issues: Iterable[str], zone: dt.tzinfo, now: dt.datetime, known_at: Moment = None
    ) -> dict[str, int]:
        """The working days for which those of `issues` that stagnate at `now` were not moved.

        Issues are named by their UUIDs at Linear, and days are those of `zone`.
        """
        as_of, found = AsOf.of_moments(now, known_at), dict[str, int]()
        with self._database.read() as connection:
            usual = _Usual(connection, self._database, as_of, zone)
            for each in issues:
                events = store.issue_streams.observations_of_issue(connection, self._database, each)
                days = unmoved_days(events, as_of, instant_of(now), zone)
                # What is usual is read only for those that can stagnate.
                if days is not None and is_stagnant(days) and is_stagnant(days, usual.of(events)):
                    found[each] = days
        return found

    def linear_user(self, user_id: str) -> LinearUser | None:
        """The Linear user that the user is, whose actions and issues are the user's own."""
        with self._database.read() as connection:
            return linear_user_of(connection, user_id)

    def naming(self, user_id: str) -> list[Naming]:
        """The observations that name a Linear user as assignee or actor, the earliest change first.

        The user is `linear:` and the id at Linear; observations name no others.
        """
        user = user_id_of(user_id)
        if not user.startswith(USER_PREFIX):
            return []
        with self._database.read() as connection:
            account = store.event_queries.account_of(connection, user)
            named = (
                [] if account is None else _naming(connection, self._database, UUID(account.uuid))
            )
        return sorted(named, key=_changed)

    def latest_change(self) -> Instant | None:
        """Linear's own instant of the latest change among the observations that came last."""
        with self._database.read() as connection:
            last = islice(store.issue_streams.latest_first(connection, self._database), LAST)
            return max((each.updated_at for each in last), default=None)

    def last_webhook_at(self) -> Instant | None:
        """The instant at which the last webhook of Linear was recorded, if any was."""
        with self._database.read() as connection:
            observations = store.issue_streams.latest_first(connection, self._database)
            found = (each.recorded_at for each in observations if each.origin == "webhook")
            return next(found, None)


def _naming(connection: Connection, database: Database, account: UUID) -> list[Naming]:
    found = store.issue_streams.observations_naming(connection, database, account)
    return [
        Naming(each, tuple(role for role in ROLES if getattr(each, role) == account))
        for each in found
    ]


def _changed(naming: Naming) -> tuple[Instant, Instant]:
    return naming.event.updated_at, naming.event.said_at


class _Usual:
    """The usual working days in states of teams, each read once."""

    def __init__(
        self, connection: Connection, database: Database, as_of: AsOf, zone: dt.tzinfo
    ) -> None:
        self._connection, self._database = connection, database
        self._as_of, self._zone = as_of, zone
        self._spans: dict[str, list[StateSpan]] = {}

    def of(self, events: Sequence[IssueObserved]) -> float:
        """The usual days in the state of an issue, in its team."""
        issue = issue_at(events, self._as_of)
        if issue is None:
            return 0.0
        if issue.team not in self._spans:
            self._spans[issue.team] = list(self._spans_of(issue.team))
        state = (issue.state_type, issue.state_id)
        return usual_working_days(self._spans[issue.team], state, self._zone)

    def _spans_of(self, team: str) -> Iterator[StateSpan]:
        for stream in read_model.keys_of_issues.streams_of_team(self._connection, team):
            events = store.issue_streams.observations_of(self._connection, self._database, stream)
            yield from state_spans(events, self._as_of)


def _named(
    connection: Connection, database: Database, key: str, known: AsOf
) -> list[IssueObserved]:
    """The observations of the issue that a key leads to."""
    streams = read_model.keys_of_issues.streams_named(connection, key)
    found = [store.issue_streams.observations_of(connection, database, each) for each in streams]
    ranked = [(rank, events) for events in found for rank in _claims(events, key, known)]
    _, strongest = max(ranked, key=_rank, default=((), []))
    return strongest


def _rank(claim: tuple[tuple[object, ...], Sequence[IssueObserved]]) -> Any:  # noqa: ANN401 - a sort key
    rank, _ = claim
    return rank


def _claims(events: Sequence[IssueObserved], key: str, known: AsOf) -> Iterator[tuple[object, ...]]:
    """Yield the rank of an issue's claim to a key for each observation with it."""
    now = issue_at(events, known)
    for each in events:
        if now is not None and key in each.keys and known.sees(each.updated_at, each.recorded_at):
            yield now.identifier == key, each.identifier == key, *order_of(each, "identifier")


def _with_words(
    connection: Connection,
    database: Database,
    at: IssueAt,
    events: Sequence[IssueObserved],
    as_of: AsOf,
) -> KnownIssue:
    seen = [each for each in events if as_of.sees(each.updated_at, each.recorded_at)]
    spans = state_spans(seen, as_of)
    accounts = [at.assignee] if isinstance(at.assignee, UUID) else []
    return KnownIssue(
        at,
        issue_at(events, AsOf()) or at,
        max(each.updated_at for each in events if not each.commented),
        spans,
        max(each.said_at for each in seen if not each.commented),
        store.issue_streams.texts_of(connection, _ids(at, spans)),
        store.issue_streams.people_of(connection, accounts),
        dict(_blockers(connection, database, at, as_of)),
    )


def _blockers(
    connection: Connection, database: Database, at: IssueAt, as_of: AsOf
) -> Iterator[tuple[str, KnownBlocker]]:
    """Yield those issues that block another one and are known themselves, by their UUIDs."""
    for each in at.blockers or ():
        events = store.issue_streams.observations_of_issue(connection, database, each)
        then, now = issue_at(events, as_of), issue_at(events, AsOf())
        if then is not None and now is not None:
            yield each, KnownBlocker(then, now)


def _ids(at: IssueAt, spans: Sequence[StateSpan]) -> set[str]:
    """The ids of everything that has a text."""
    several = [each for each in (at.labels, at.blockers) if isinstance(each, tuple)]
    single = (at.state_id, at.cycle, at.project, *(span.state_id for span in spans))
    return {at.issue, *(each for each in single if isinstance(each, str))}.union(*several)
