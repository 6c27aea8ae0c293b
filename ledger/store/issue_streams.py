"""Streams of Linear's issues: recording observations of them, and reading them back.

An issue's stream is derived from the ledger's own and Linear's UUID of the issue. No account has
it, so no question about users or engagements reads its events.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from msgspec import UNSET, UnsetType
from sqlalchemy import Connection, bindparam, insert, select

from ledger.commands import check_not_future
from ledger.events import FORGOTTEN, OBSERVATION, IssueObserved
from ledger.instants import Instant
from ledger.observations import (
    USER_PREFIX,
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
from ledger.store.opt_outs import OptOuts
from ledger.store.rows import change, checked, opaque_event, with_checksum
from ledger.store.sources import Sources
from ledger.store.statements import Query, Statement, stored_uuid
from ledger.store.streams import Stream, Streams

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

    def __init__(
        self, connection: Connection, streams: Streams, opt_outs: OptOuts, sources: Sources
    ) -> None:
        """Work inside the transaction of `connection`, with what it has read."""
        self.keys: list[tuple[str, int, int]] = []
        """The keys that the new events name, each with the issue's stream and the position."""
        self._connection = connection
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
        """The account of a person, who gets one unless a barrier keeps out what happened then."""
        if not isinstance(person, Person):
            return person
        if self._opt_outs.refuses(person.user_id, at):
            return FORGOTTEN
        return stored_uuid(self._streams.of_user(person.user_id).originator_id)

    def _counted_as(
        self, entry: Observation, stream: Stream, event: IssueObserved, position: int
    ) -> int | None:
        """Return where this was counted; it counts again if Linear said something else between."""
        counted_as = self._sources.counted_as(source_key_of(entry), position)
        if counted_as is None:
            return None
        known = observations_of(self._connection, stream.id)
        if not is_news(event, [*known, *self._new[stream.id]]):
            return counted_as
        return self._sources.counted_as(repeated_key_of(entry, event.said_at), position)

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


def _keys(stream: int, *row: Any) -> list[tuple[str, int, int]]:  # noqa: ANN401 - as `_read`
    position, event = _read(*row)
    return [(key, stream, position) for key in event.keys]


_COLUMNS = (_e.position, _s.originator_id, _e.version, _e.state)
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
    .where(tables.IS_OBSERVATION)
    .order_by(_e.position.desc()),
)
_KEYS = Query(
    _keys,
    select(_e.stream, *_COLUMNS)
    .select_from(_observations)
    .where(tables.IS_OBSERVATION)
    .order_by(_e.position),
)


def observations_of(connection: Connection, stream: int) -> list[IssueObserved]:
    """The observations of the issue with this stream, as recorded, with effective instants."""
    return corrections(connection).of_observations(recorded_of(connection, stream))


def recorded_of(connection: Connection, stream: int) -> list[Observed]:
    """The observations of the issue with this stream at their positions, as recorded."""
    return list(_OF_STREAM.all(connection, stream))


def latest_first(connection: Connection) -> Iterator[IssueObserved]:
    """Yield the observations of all issues with effective instants, the last recorded first."""
    corrected = corrections(connection)
    for each in _LATEST_FIRST.all(connection):
        yield from corrected.of_observations([each])


def named_keys(connection: Connection) -> Iterator[tuple[str, int, int]]:
    """Yield the keys that observations name, each with the issue's stream, by position."""
    return chain.from_iterable(_KEYS.all(connection))


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
