"""Appending interactions, observations and all other entries: all of R10 in one transaction.

An event, its digest and its origin commit together or not at all. The projection folds them later;
until then its readers see them as its tail.
"""

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import Connection, insert, select

from ledger import codec, store
from ledger.clock import Clock
from ledger.codec import commitment, origin_of
from ledger.commands import Adoption, Decision, Hiding, Interaction, OptOut, check_not_future
from ledger.errors import (
    ClockBehindError,
    InvalidInteractionError,
    LedgerDamagedError,
    LedgerError,
    LedgerUnavailableError,
    OptedOutError,
    PolicyConflictError,
    UnknownEngagementError,
)
from ledger.events import INTERACTION, EngagementHidden, PolicyAdopted
from ledger.idempotency import digest, former_digest
from ledger.instants import DAY, Instant, instant_of
from ledger.observations import Latest, Observation, checked_observation
from ledger.store import tables
from ledger.store.database import Database, stamp_of
from ledger.store.group_commit import RolledBackError
from ledger.store.opt_outs import OptOuts
from ledger.store.places import Places
from ledger.store.projection import BackgroundFold, Projection
from ledger.store.rows import INSERT_EVENT, EventValues, event_row, event_rows, opaque_values
from ledger.store.sources import Sources
from ledger.store.statements import Query, Statement, stored_uuid, value
from ledger.store.streams import Head, Stream, Streams

if TYPE_CHECKING:
    from ledger.store.issue_streams import IssueStreams

_log = logging.getLogger(__name__)

Entry = Interaction | Decision | Hiding | OptOut | Adoption | Observation

SALT_BYTES = 16


_UNBARRED = (OptOut, Adoption, Observation)
"""Entries that no opt-out keeps out as a whole."""


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """The outcome of an entry: `counted` now, or a repetition of the event at `position`."""

    position: int
    counted: bool


AnyBatch = TypeVar("AnyBatch", bound="Batch")
Added = TypeVar("Added")

Outcome = Receipt | LedgerError
"""A refused entry is a value: the others of its transaction are not its business."""


# What a writing transaction has read, valid for the next one if nothing else wrote.

REMEMBERED_USERS = 10_000
"""From so many on, what was read of users is read again."""

_SECRET: Query[bytes] = Query(value, select(tables.ledger.c.digest_key))
_INSERT_ORIGIN = Statement(insert(tables.origins), *tables.origins.c.keys())


class Known:
    """Values read in a transaction, valid as long as nothing else writes."""

    def __init__(
        self,
        connection: Connection,
        secret: bytes,
        database: Database,
        projection: Projection,
    ) -> None:
        """Read the head, and everything else when it is first needed."""
        self.connection, self.database = connection, database
        self.secret = secret
        self.stamp = stamp_of(connection)
        self.head = Head.read(connection)
        self.watermark = self.head.position - projection.tail_length(connection)
        self.streams = Streams(connection)
        self.places = Places(connection)
        self.opt_outs = OptOuts(connection, secret, database.barriers)
        self.sources = Sources(connection, secret)
        self.issue_keys = projection.names(connection, database)
        self.latest = partial(projection.latest, connection)
        self.insert_events = INSERT_EVENT.writer(connection)
        self.insert_origins = _INSERT_ORIGIN.writer(connection)

    @property
    def tail(self) -> int:
        """How many positions are not folded."""
        return self.head.position - self.watermark

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the next transaction can tell if it holds, and it is not too large."""
        return self.stamp is not None and len(self.streams) < REMEMBERED_USERS

    def holds(self, connection: Connection) -> bool:
        """Return whether nothing was written since, at the beginning of a transaction."""
        return self.stamp is not None and self.stamp == stamp_of(connection)

    def note_own_changes(self) -> None:
        """Go on holding after what the transaction itself has written."""
        if self.stamp is not None:
            self.stamp = self.stamp.after_own_changes()


# Appending, one transaction a call.


class Appender:
    """Appends to one ledger, one transaction a call."""

    def __init__(self, database: Database, projection: Projection, clock: Clock) -> None:
        """Append to `database` at the instants of `clock`; `projection` folds what is appended."""
        self._database = database
        self._projection = projection
        self._clock = clock
        self._known: Known | None = None
        self._tail = 0
        self._folding = BackgroundFold(
            self._advance, lambda is_ended: projection.catch_up(database, is_ended)
        )
        projection.prepare(database)
        with database.read() as connection:
            self.secret = _SECRET.one(connection)

    def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Append `entries` in their order and return an outcome for each.

        When this returns, what was counted survives a power cut. Raises ClockBehindError or
        LedgerUnavailableError for all at once; then none is known to be recorded, and trying
        again with the same source keys is safe. Raises RolledBackError for the fault of an entry;
        then none is recorded.
        """
        outcomes = self.transact(Batch, lambda batch: [batch.add(entry) for entry in entries])
        self._folding.notice(self._tail)
        return outcomes

    def transact(self, of: type[AnyBatch], add: Callable[[AnyBatch], Added]) -> Added:
        """Call `add` with a new batch, write its rows in one transaction, and return the result.

        Raises RolledBackError for what may be the fault of an entry; then nothing is written.
        """
        may_be_committed = False
        try:
            with self._database.write() as connection:
                known, batch, added = self._write(connection, of, add)
                may_be_committed = True
        except Exception as error:
            if may_be_committed or _concerns_all(error):
                raise
            raise RolledBackError(error) from error
        self._keep(known)
        self._tail = known.tail
        _log.info("appended", extra={"events": len(batch.events), "head": batch.head.position})
        return added

    def _write(
        self, connection: Connection, of: type[AnyBatch], add: Callable[[AnyBatch], Added]
    ) -> "tuple[Known, AnyBatch, Added]":
        known = self._taken(connection) or self._read(connection)
        batch = of(known, partial(self._projection.knows, connection, self._database))
        batch.head.advance(instant_of(self._clock()))
        added = add(batch)
        if batch.has_rows:
            batch.write()
            known.head = batch.head
        if batch.keys:
            self._projection.note_keys(connection, self._database, batch.keys)
            self._projection.note_latest(connection, batch.latest)
            known.issue_keys = self._projection.names(connection, self._database)
        if batch.adopts:
            self._projection.fold(connection, self._database.archive)
        known.note_own_changes()
        return known, batch, added

    def fold(self) -> None:
        """Do what `BackgroundFold.fold` does, in the thread of the caller."""
        self._folding.fold()

    def close(self) -> None:
        """Stop folding."""
        self._folding.close()

    def _advance(self) -> bool:
        """Fold the next events; the caches stay valid, since they hold nothing that is folded."""
        with self._database.write() as connection:
            known = self._taken(connection)
            is_at_head = self._projection.advance(connection, self._database.archive)
            if known is not None:
                known.watermark = known.head.position - self._projection.tail_length(connection)
                known.note_own_changes()
        if known is not None:
            self._keep(known)
        return is_at_head

    def _taken(self, connection: Connection) -> Known | None:
        """Take the caches from here, if nothing else was written since."""
        known, self._known = self._known, None
        return known if known is not None and known.holds(connection) else None

    def _keep(self, known: Known) -> None:
        """Know it in the next transaction, too: the one that it comes from has committed."""
        if known.is_worth_keeping:
            self._known = known

    def _read(self, connection: Connection) -> Known:
        return Known(connection, self.secret, self._database, self._projection)


def _concerns_all(error: Exception) -> bool:
    """Whether other entries would fail likewise, or wait as long: not for damaged rows of one."""
    if isinstance(error, LedgerDamagedError):
        return False
    return isinstance(error, (ClockBehindError, LedgerUnavailableError, MemoryError))


class Batch:
    """The rows that one transaction will write."""

    def __init__(self, known: Known, knows: Callable[[str, str], bool]) -> None:
        self.head = known.head.copy()
        self.events: list[tuple[Any, ...]] = []
        self.adopts = False
        self._known = known
        self._knows = knows
        self._streams, self._places, self._opt_outs = known.streams, known.places, known.opt_outs
        self._sources = known.sources
        self._touched: set[tuple[int, str]] = set()
        self._origins: list[tuple[Any, ...]] = []
        self._issues: IssueStreams | None = None

    def add(self, entry: Entry) -> Outcome:
        """Decide what becomes of an entry, and take in what is to be written."""
        if isinstance(entry, _UNBARRED):
            return self._add_unbarred(entry)
        occurred_at = self.head.recorded_at if entry.occurred_at is None else entry.occurred_at
        try:
            check_not_future(occurred_at, self.head.recorded_at)
        except InvalidInteractionError as refusal:
            return refusal
        # Before anything is made for this user: no stream, no account, no place, no digest.
        if self._opt_outs.refuses(entry.user_id, occurred_at):
            return OptedOutError()
        if isinstance(entry, Interaction):
            return self._add_interaction(entry, occurred_at)
        return self._add_of_touched(entry, occurred_at)

    @property
    def has_rows(self) -> bool:
        """Whether there is anything to write."""
        if self.events or self._sources.has_new:
            return True
        return self._issues is not None and self._issues.has_rows

    @property
    def keys(self) -> Sequence[tuple[str, int, int]]:
        """The keys that new observations name, each with its issue's stream and the position."""
        return () if self._issues is None else self._issues.keys

    @property
    def latest(self) -> Mapping[int, Latest]:
        """The latest observations of the issues with new ones, by stream."""
        return {} if self._issues is None else self._issues.latest

    def write(self) -> None:
        """Write the rows, the head before events: the database accepts none beyond it."""
        self._sources.write(self.head)
        self.head.write(self._known.connection)
        self._known.insert_events(self.events)
        self._known.insert_origins(self._origins)
        if self._issues is not None:
            self._issues.write()

    def _add_unbarred(self, entry: OptOut | Adoption | Observation) -> Outcome:
        match entry:
            case OptOut():
                self._opt_outs.put(entry.user_id, entry.before)
                return Receipt(self.head.position, counted=True)
            case Adoption():
                return self._add_adoption(entry)
            case Observation():
                return self._add_observation(entry)

    def _add_interaction(self, entry: Interaction, occurred_at: Instant) -> Receipt:
        counted_as = self._counted_as(entry, occurred_at)
        if counted_as is not None:
            return Receipt(counted_as, counted=False)
        position = self.head.next_position()
        place, commitment = self._places.of_chat(entry.chat_id), self._commitment(position, entry)
        return self._add(
            EventValues(
                *self._header(self._streams.of_user(entry.user_id), INTERACTION),
                issue_id=entry.issue_id,
                kind=int(entry.kind),
                occurred_at=occurred_at,
                linear_id=entry.linear_id,
                place=place,
                commitment=commitment,
            )
        )

    def _add_of_touched(self, entry: Decision | Hiding, occurred_at: Instant) -> Outcome:
        """Add what a user wants of an engagement, if there is one."""
        stream = self._streams.known(entry.user_id)
        if stream is None or not self._is_touched(stream.id, entry):
            return UnknownEngagementError(entry.issue_id)
        if isinstance(entry, Decision):
            return self._add_decision(stream, entry, occurred_at)
        return self._add_hiding(stream, entry, occurred_at)

    def _add_decision(self, stream: Stream, entry: Decision, occurred_at: Instant) -> Receipt:
        self.head.next_position()
        return self._add(
            EventValues(
                *self._header(stream, entry.topic),
                issue_id=entry.issue_id,
                occurred_at=occurred_at,
                score=entry.value,
            )
        )

    def _add_hiding(self, stream: Stream, entry: Hiding, occurred_at: Instant) -> Receipt:
        counted_as = self._counted_as(entry, occurred_at)
        if counted_as is not None:
            return Receipt(counted_as, counted=False)
        stream.version += 1
        event = EngagementHidden(
            stored_uuid(stream.originator_id),
            stream.version,
            self.head.recorded_at,
            entry.issue_id,
            occurred_at,
            entry.hidden,
        )
        return self._add(opaque_values(self.head.next_position(), stream.id, event))

    def _add_adoption(self, entry: Adoption) -> Outcome:
        if entry.replaces != self.head.policy_version:
            return PolicyConflictError(self.head.policy_version)
        own_id, stream = self._streams.own()
        stream.version += 1
        self.head.policy_version += 1
        self.adopts = True
        version, recorded_at = self.head.policy_version, self.head.recorded_at
        event = PolicyAdopted(own_id, stream.version, recorded_at, version, entry.fields)
        return self._add(opaque_values(self.head.next_position(), stream.id, event))

    def _add_observation(self, entry: Observation) -> Outcome:
        if self._issues is None:
            known = self._known
            self._issues = store.issue_streams.IssueStreams(
                known.connection,
                known.database,
                known.streams,
                known.opt_outs,
                known.sources,
                known.latest,
            )
        try:
            said = checked_observation(entry)
            found = self._issues.event_of(said, self.head.recorded_at, self.head.position + 1)
        except InvalidInteractionError as refusal:
            return refusal
        if isinstance(found, int):
            return Receipt(found, counted=False)
        stream, event = found
        return self._add(opaque_values(self.head.next_position(), stream.id, event))

    def _counted_as(self, entry: Interaction | Hiding, occurred_at: Instant) -> int | None:
        """Return where the entry was counted, under any key of its issue; else it counts now."""
        key, keys = entry.source_key, self._known.issue_keys
        others = keys.others(entry.issue_id, occurred_at) if entry.issue_id in keys.moved else ()
        if key is not None:
            for other in others:
                counted_as = self._sources.seen(key.under(entry.issue_id, other))
                if counted_as is not None:
                    return counted_as
        return self._sources.counted_as(key, self.head.position + 1)

    def _header(self, stream: Stream, topic: str) -> tuple[int, int, int, str, Instant]:
        """The first columns of the event at the head, which is the next of its stream."""
        stream.version += 1
        return self.head.position, stream.id, stream.version, topic, self.head.recorded_at

    def _add(self, values: EventValues) -> Receipt:
        self.events.append(event_row(values))
        if values.issue_id is not None:
            self._touched.add((values.stream, values.issue_id))
        return Receipt(values.position, counted=True)

    def _is_touched(self, stream: int, entry: Decision | Hiding) -> bool:
        keys = self._known.issue_keys.others(entry.issue_id, self.head.recorded_at)
        is_new = any((stream, key) in self._touched for key in (entry.issue_id, *keys))
        return is_new or self._knows(entry.user_id, entry.issue_id)

    def _commitment(self, position: int, entry: Interaction) -> bytes | None:
        key = entry.source_key
        source = None if key is None else key.shown
        if entry.context is None and entry.metadata is None and source is None:
            return None
        salt = secrets.token_bytes(SALT_BYTES)
        self._origins.append((position, salt, entry.context, entry.metadata, source))
        return codec.commitment(salt, codec.origin_of(entry.context, entry.metadata, source))


# Appending many interactions of a history by columns.
#
# Nearly all of them are new, and that is certain before anything is written. Those go in by
# columns, in tight loops. Any other is judged as a single record is, in its place in the order.

_NO_KEY = b""


def append_bulk(appender: Appender, interactions: Sequence[Interaction]) -> dict[int, Outcome]:
    """Append `interactions` in their order, in one transaction, as `appender.append` does.

    Returns the outcomes of those that were judged one by one, by their numbers; all others were
    counted.
    """
    try:
        return appender.transact(_Bulk, lambda batch: batch.add_all(interactions))
    except RolledBackError as rolled_back:
        raise rolled_back.fault from None


class _Bulk(Batch):
    """The rows that one transaction will write, most of them added by columns."""

    def add_all(self, interactions: Sequence[Interaction]) -> dict[int, Outcome]:
        marks = [_mark(each, self._known.secret) for each in interactions]
        outcomes: dict[int, Outcome] = {}
        begun = 0
        for number in self._doubtful(interactions, marks):
            self._add_new(interactions[begun:number], marks[begun:number])
            outcomes[number] = self.add(interactions[number])
            begun = number + 1
        self._add_new(interactions[begun:], marks[begun:])
        return outcomes

    def _doubtful(self, interactions: Sequence[Interaction], marks: Sequence[bytes]) -> list[int]:
        """Return the numbers of those that may be refused or known already."""
        latest = self.head.recorded_at + DAY
        users = {each.user_id for each in interactions}
        barred = {user for user in users if self._opt_outs.knows(user)}
        seen = {_NO_KEY} | repeated(marks) | self._sources.seen_among(marks)
        formers = [_former_mark(each, self._known.secret) for each in interactions]
        seen_formers = self._sources.seen_among([mark for mark in formers if mark is not None])
        return [
            number
            for number, (each, mark, former) in enumerate(
                zip(interactions, marks, formers, strict=True)
            )
            if mark in seen
            or each.issue_id in self._known.issue_keys.moved
            or former in seen_formers
            or each.user_id in barred
            or each.occurred_at is None
            or each.occurred_at > latest
        ]

    def _add_new(self, new: Sequence[Interaction], marks: Sequence[bytes]) -> None:
        """Add interactions that are certainly counted, as `add` does one by one."""
        if not new:
            return
        positions = range(self.head.position + 1, self.head.position + 1 + len(new))
        self.head.position = positions[-1]
        self._sources.add(zip(marks, positions, strict=True))
        streams, versions = self._next_versions([each.user_id for each in new])
        commitments = self._commitments(positions, new)
        columns = {
            "position": positions,
            "stream": streams,
            "version": versions,
            "topic": repeat(INTERACTION),
            "recorded_at": repeat(self.head.recorded_at),
            "issue_id": [each.issue_id for each in new],
            "kind": [int(each.kind) for each in new],
            "occurred_at": [each.occurred_at for each in new],
            "linear_id": [each.linear_id for each in new],
            "place": map(self._places.of_chat, [each.chat_id for each in new]),
            "commitment": commitments,
        }
        self.events += event_rows(columns)

    def _next_versions(self, users: Sequence[str]) -> tuple[list[int], list[int]]:
        """Return the stream of each user, and the version that is next in it each time."""
        by_user = {user: self._streams.of_user(user) for user in dict.fromkeys(users)}
        streams = [by_user[user] for user in users]
        versions = []
        for stream in streams:
            stream.version += 1
            versions.append(stream.version)
        return [stream.id for stream in streams], versions

    def _commitments(self, positions: range, new: Sequence[Interaction]) -> list[bytes]:
        """Add the origins of interactions, each of which has a key, and return what binds them."""
        random = secrets.token_bytes(SALT_BYTES * len(new))
        salts = [random[at : at + SALT_BYTES] for at in range(0, len(random), SALT_BYTES)]
        contexts, metadata = [each.context for each in new], [each.metadata for each in new]
        shown = [each.source_key.shown for each in new if each.source_key]
        self._origins += zip(positions, salts, contexts, metadata, shown, strict=True)
        return list(map(commitment, salts, map(origin_of, contexts, metadata, shown)))


def repeated(marks: Iterable[bytes]) -> set[bytes]:
    """Return those that are among `marks` more than once."""
    return {mark for mark, times in Counter(marks).items() if times > 1}


def _mark(interaction: Interaction, secret: bytes) -> bytes:
    key = interaction.source_key
    return _NO_KEY if key is None else digest(key, secret)


def _former_mark(interaction: Interaction, secret: bytes) -> bytes | None:
    key = interaction.source_key
    return None if key is None else former_digest(key, secret)
