"""Streams of Linear's issues: recording observations of them, and reading them back.

An issue's stream is derived from the ledger's own and Linear's UUID of the issue. No account has
it, so no question about users or engagements reads its events.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from heapq import merge
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from msgspec import UNSET, UnsetType
from sqlalchemy import Connection, bindparam, func, insert, select

from ledger import store
from ledger.commands import check_not_future
from ledger.events import FORGOTTEN, OBSERVATION, IssueObserved
from ledger.instants import Instant
from ledger.observations import (
    USER_PREFIX,
    Latest,
    Observation,
    Person,
    Text,
    is_news,
    repeated_key_of,
    source_key_of,
)
from ledger.store import tables
from ledger.store.accounts import BY_ORIGINATOR, changed_names, rename_users
from ledger.store.clock_corrections import corrections
from ledger.store.database import Database
from ledger.store.opt_outs import OptOuts, own_id
from ledger.store.rows import change, checked, opaque_event, with_checksum
from ledger.store.segment_rows import sealed_position
from ledger.store.sources import Sources
from ledger.store.statements import Query, Statement, stored_uuid, value
from ledger.store.streams import BY_NUMBER, Stream, Streams

# Recording, within one transaction.

_t = tables.linear_texts

_INSERT_TEXT = Statement(insert(_t), *_t.c.keys())


class _Said(NamedTuple):
    """A text, and when Linear said it."""

    text: str
    url: str | None
    said_at: int


def _said(*row: Any) -> _Said:  # noqa: ANN401 - the columns of the table
    _, *said = checked(_t.name, row)
    return _Said(*said)


_TEXT = Query(_said, select(_t).where(_t.c.id == bindparam("id")), "id")


class IssueStreams:
    """The issues that one transaction observes: their events, and the names and texts in them."""

    def __init__(  # noqa: PLR0913, PLR0917 - what the transaction has, and has read
        self,
        connection: Connection,
        database: Database,
        streams: Streams,
        opt_outs: OptOuts,
        sources: Sources,
        latest: Callable[[int], Latest | None],
    ) -> None:
        """Work inside the transaction of `connection`, with what it has read."""
        self.keys: list[tuple[str, int, int]] = []
        """The keys that the new events name, each with the issue's stream and the position."""
        self.latest: dict[int, Latest] = {}
        """The latest observations of the issues with new ones, by stream."""
        self._stored_latest = latest
        self._connection, self._database = connection, database
        self._streams, self._opt_outs, self._sources = streams, opt_outs, sources
        self._new: dict[int, list[IssueObserved]] = defaultdict(list)
        self._names: dict[str, str] = {}
        self._texts: dict[bytes, _Said] = {}

    @property
    def has_rows(self) -> bool:
        """Whether there is anything to write but events."""
        return bool(self._names or self._texts)

    def event_of(
        self, entry: Observation, recorded_at: Instant, position: int
    ) -> tuple[Stream, IssueObserved] | int:
        """The event that `entry` becomes at `position`, or the position that it counted as before.

        Raises FutureInteractionError for an entry from the future, of which nothing is kept then.
        """
        said_at = recorded_at if entry.said_at is None else entry.said_at
        for at in (entry.updated_at, said_at):
            check_not_future(at, recorded_at)
        own_id, _ = self._streams.own()
        stream = self._streams.of_originator(uuid5(own_id, entry.issue))
        event = self._event(entry, stream, recorded_at, said_at)
        counted_as = self._counted_as(entry, stream, event, position)
        self._note_words(entry, said_at, is_new=counted_as is None)
        if counted_as is not None:
            return counted_as
        stream.version += 1
        self._new[stream.id].append(event)
        self._note_latest(stream.id, event, position)
        self.keys += [(key, stream.id, position) for key in event.keys]
        return stream, event

    def write(self) -> None:
        """Write names and texts; events are written by the caller."""
        connection = self._connection
        rename_users(connection, self._names)
        for id_, said in self._texts.items():
            if not change(connection, _t, _t.c.id == id_, **said._asdict()):
                _INSERT_TEXT.run(connection, *with_checksum(_t.name, (id_, *said)))

    def _event(
        self, entry: Observation, stream: Stream, recorded_at: Instant, said_at: Instant
    ) -> IssueObserved:
        actor = entry.actor
        return IssueObserved(
            originator_id=stored_uuid(stream.originator_id),
            originator_version=stream.version + 1,
            recorded_at=recorded_at,
            issue=entry.issue,
            identifier=entry.identifier,
            team=entry.team,
            updated_at=entry.updated_at,
            said_at=said_at,
            state_id=entry.state_id,
            state_type=entry.state_type,
            state_since=entry.state_since,
            former_identifiers=entry.former_identifiers,
            priority=entry.priority,
            assignee=self._account_of(entry.assignee, entry.updated_at),
            due_date=entry.due_date,
            cycle=entry.cycle,
            project=entry.project,
            labels=entry.labels,
            estimate=entry.estimate,
            blockers=entry.blockers,
            archived=entry.archived,
            trashed=entry.trashed,
            public_team=entry.public_team,
            actor=self._account_of(actor, entry.updated_at),
            actor_is_app=actor.is_app if isinstance(actor, Person) else UNSET,
            removed=entry.removed,
            commented=entry.commented,
            origin=entry.origin,
        )

    def _account_of(
        self, person: Person | UnsetType | None, at: Instant
    ) -> UUID | UnsetType | None:
        """The account of a person, who gets one unless a barrier keeps out what happened then.

        One who was forgotten gets none by what others say, but by a link.
        """
        if not isinstance(person, Person):
            return person
        user_id, opt_outs = person.user_id, self._opt_outs
        is_gone = opt_outs.is_forgotten(user_id) and self._streams.known(user_id) is None
        if is_gone or opt_outs.refuses(user_id, at):
            return FORGOTTEN
        return stored_uuid(self._streams.of_user(person.user_id).originator_id)

    def _counted_as(
        self, entry: Observation, stream: Stream, event: IssueObserved, position: int
    ) -> int | None:
        """Return where this was counted; it counts again if Linear said something else between."""
        counted_as = self._sources.counted_as(source_key_of(entry), position)
        if counted_as is None:
            return None
        if event.commented or self._is_latest(entry, stream, counted_as):
            return counted_as
        known = observations_of(self._connection, self._database, stream.id)
        if not is_news(event, [*known, *self._new[stream.id]]):
            return counted_as
        return self._sources.counted_as(repeated_key_of(entry, event.said_at), position)

    def _is_latest(self, entry: Observation, stream: Stream, counted_as: int) -> bool:
        """Whether `entry` says what is true already, by its keys alone, without reading events.

        Not with a person who has a barrier: the account may be another one now.
        """
        latest = self._latest_of(stream.id)
        if latest is None or any(self._opt_outs.knows(each.user_id) for each in entry.people):
            return False
        again = repeated_key_of(entry, Instant(latest.said_at))
        return latest.position in {counted_as, self._sources.seen(again) or counted_as}

    def _latest_of(self, stream: int) -> Latest | None:
        return self.latest.get(stream) or self._stored_latest(stream)

    def _note_latest(self, stream: int, event: IssueObserved, position: int) -> None:
        if not event.commented:
            new, before = Latest(event.updated_at, event.said_at, position), self._latest_of(stream)
            self.latest[stream] = new if before is None else before.merged(new)

    def _note_words(self, entry: Observation, said_at: Instant, *, is_new: bool) -> None:
        """Keep names and texts; what comes again unchanged must cause no write."""
        names: dict[str, str] = {
            each.user_id: each.name
            for each in entry.people
            if each.name is not None and self._streams.known(each.user_id) is not None
        }
        self._names |= changed_names(self._connection, names)
        for each in entry.texts:
            self._note_text(each, said_at, is_new=is_new)

    def _note_text(self, text: Text, said_at: Instant, *, is_new: bool) -> None:
        id_, said = UUID(text.id).bytes, _Said(text.text, text.url, said_at)
        before = self._texts.get(id_) or _TEXT.first(self._connection, id_)
        is_other = before is None or before[:2] != said[:2]
        if before is None or (before.said_at < said_at and (is_new or is_other)):
            self._texts[id_] = said


# Reading.

_e, _s, _observations = tables.events.c, tables.streams.c, tables.events.join(tables.streams)

Observed = tuple[int, IssueObserved]
"""An observation at its position."""


_read: Callable[..., Observed] = partial(opaque_event, OBSERVATION)


def _of_stream(stream: int, *row: Any) -> tuple[int, int, IssueObserved]:  # noqa: ANN401 - as `_read`
    return stream, *_read(*row)


_COLUMNS = (_e.position, _s.originator_id, _e.version, _e.state)
_STREAM: Query[int] = Query(
    value, select(_s.id).where(_s.originator_id == bindparam("originator_id")), "originator_id"
)
_OF_STREAM = Query(
    _read,
    select(*_COLUMNS)
    .select_from(_observations)
    .where(tables.IS_OBSERVATION, _e.stream == bindparam("stream"))
    .order_by(_e.position),
    "stream",
)
_LATEST_FIRST = Query(
    _read,
    select(*_COLUMNS)
    .select_from(_observations)
    .where(
        tables.IS_OBSERVATION,
        _e.position > bindparam("after"),
        _e.position <= bindparam("upto"),
    )
    .order_by(_e.position.desc()),
    "after",
    "upto",
)
_LAST: Query[int | None] = Query(
    value,
    select(func.max(_e.position)).where(tables.IS_OBSERVATION, _e.stream == bindparam("stream")),
    "stream",
)
_ALL = Query(
    _of_stream,
    select(_e.stream, *_COLUMNS).select_from(_observations).where(tables.IS_OBSERVATION),
)


def observations_of(connection: Connection, database: Database, stream: int) -> list[IssueObserved]:
    """The observations of the issue with this stream, as recorded, with effective instants."""
    return corrections(connection).of_observations(recorded_of(connection, database, stream))


def observations_of_issue(
    connection: Connection, database: Database, issue: str
) -> list[IssueObserved]:
    """The same of the issue with this UUID at Linear; none if it was never observed."""
    originator_id = uuid5(UUID(bytes=own_id(connection)), issue)
    stream = _STREAM.first(connection, originator_id.bytes)
    return [] if stream is None else observations_of(connection, database, stream)


def recorded_of(connection: Connection, database: Database, stream: int) -> list[Observed]:
    """The observations of the issue with this stream at their positions, as recorded.

    The archive is only read if some of them are sealed.
    """
    hot, whole = list(_OF_STREAM.all(connection, stream)), BY_NUMBER.one(connection, stream)
    sealed = whole.version + 1 - len(hot)
    if sealed <= 0:
        return hot
    archived = store.sealed_observations.sealed_of(connection, database.archive, whole, sealed)
    return sorted([*archived, *hot], key=_position)


def hot_first(connection: Connection, database: Database, stream: int) -> Iterator[IssueObserved]:
    """Yield the observations of an issue with effective instants, in no order, the hot ones first.

    The archive is only read where those do not suffice.
    """
    corrected = corrections(connection)
    for each in _OF_STREAM.all(connection, stream):
        yield from corrected.of_observations([each])
    sealed_upto = sealed_position(connection)
    if sealed_upto:
        known = recorded_of(connection, database, stream)
        yield from corrected.of_observations(
            each for each in known if _position(each) <= sealed_upto
        )


def last_position_of(connection: Connection, database: Database, stream: int) -> int:
    """The position of the last observation of the issue with this stream, which has some."""
    last = _LAST.one(connection, stream)
    if last is not None and last > sealed_position(connection):
        return last
    return max(position for position, _ in recorded_of(connection, database, stream))


def latest_first(connection: Connection, database: Database) -> Iterator[IssueObserved]:
    """Yield the observations of all issues with effective instants, the last recorded first."""
    corrected = corrections(connection)
    for each in _recorded_latest_first(connection, database):
        yield from corrected.of_observations([each])


def _recorded_latest_first(connection: Connection, database: Database) -> Iterator[Observed]:
    sealed_upto = sealed_position(connection)
    yield from _LATEST_FIRST.all(connection, sealed_upto, sys.maxsize)
    if sealed_upto:
        left_hot = _LATEST_FIRST.all(connection, 0, sealed_upto)  # by an earlier version
        sealed = store.sealed_observations.sealed_latest_first(connection, database.archive)
        yield from merge(left_hot, sealed, key=_position, reverse=True)


def _position(each: Observed) -> int:
    position, _ = each
    return position


def _event(each: Observed) -> IssueObserved:
    _, event = each
    return event


def named_keys(connection: Connection, database: Database) -> Iterator[tuple[str, int, int]]:
    """Yield the keys that observations name, each with the issue's stream, in no order."""
    for stream, position, event in observations_of_all(connection, database):
        yield from ((key, stream, position) for key in event.keys)


def latest_of(connection: Connection, database: Database) -> dict[int, Latest]:
    """The latest observations of all issues, by stream, with effective instants."""
    corrected, found = corrections(connection), dict[int, Latest]()
    for stream, position, event in observations_of_all(connection, database):
        if not event.commented:
            said_at, _ = corrected.instants(position, event.said_at, event.recorded_at)
            new = Latest(event.updated_at, said_at, position)
            found[stream] = found[stream].merged(new) if stream in found else new
    return found


def observations_of_all(
    connection: Connection, database: Database
) -> Iterator[tuple[int, int, IssueObserved]]:
    """Yield all observations as recorded, each after its stream and position, in no order.

    Sealed ones have no version.
    """
    yield from _ALL.all(connection)
    if sealed_position(connection):
        yield from store.sealed_observations.sealed_by_issue(connection, database.archive)


def observations_naming(
    connection: Connection, database: Database, account: UUID
) -> list[IssueObserved]:
    """The observations with an account, with effective instants, by position."""
    latest_first = _recorded_latest_first(connection, database)
    found = [
        each for each in latest_first if account in {_event(each).assignee, _event(each).actor}
    ]
    return corrections(connection).of_observations(reversed(found))


def texts_of(connection: Connection, ids: Iterable[str]) -> dict[str, Text]:
    """The texts of those of Linear's `ids` that have one, and that was not deleted."""
    found = ((each, _TEXT.first(connection, UUID(each).bytes)) for each in ids)
    return {id_: Text(id_, said.text, said.url) for id_, said in found if said is not None}


def people_of(connection: Connection, accounts: Iterable[UUID]) -> dict[UUID, Person]:
    """Linear's users by their accounts, without those who were forgotten."""
    found = ((each, BY_ORIGINATOR.first(connection, each.bytes)) for each in accounts)
    return {
        account: Person(user.user_id.removeprefix(USER_PREFIX), user.display_name)
        for account, user in found
        if user is not None
    }
