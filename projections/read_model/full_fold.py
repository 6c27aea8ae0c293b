"""The fold of all events, hot and sealed, in the order of their accounts."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, and_, bindparam, func, select

from ledger.archive.columns import LAST, one_chunk, one_table, uuids
from ledger.archive.reading import FOLDED_COLUMNS, corrected_groups
from ledger.archive.segment_store import Archive
from ledger.events import Corrections, EventRow
from ledger.segment import events_in
from ledger.store.clock_corrections import corrections
from ledger.store.collecting import without_collecting
from ledger.store.event_queries import sealed_rows
from ledger.store.rows import CODE, FOLDED, folded_event
from ledger.store.segment_rows import sealed_position, segments
from ledger.store.statements import Query, Statement, stored_uuid, value
from ledger.store.tables import accounts, events, streams
from projections.columnar import NO, starts_of
from projections.read_model.columnar_fold import (
    Folded,
    hot_batch,
    merged,
    partial_of_hot,
    partial_of_rows,
    rows_of,
)
from projections.read_model.engagement_rows import TableStatements
from projections.read_model.queries import FOLDABLE

# Accounts in the order of their UUIDs: ranges of them, and those that belong to a user.

BEFORE_ALL, AFTER_ALL = "", LAST
"""Before and after every account's UUID."""

_ENDS = {BEFORE_ALL: b"", AFTER_ALL: b"\xff" * 17}

IN_SPAN = and_(
    streams.c.originator_id > bindparam("after"), streams.c.originator_id <= bindparam("upto")
)
"""The condition for streams after one account and up to another, given by `bytes_of`."""

_IN_SPAN = select(streams.c.originator_id, streams.c.id).where(IN_SPAN)
_STREAMS = Statement(_IN_SPAN, "after", "upto")
_ACCOUNTS = Statement(_IN_SPAN.join(accounts, accounts.c.stream == streams.c.id), "after", "upto")
_last_hot = select(func.max(events.c.version)).where(events.c.stream == streams.c.id)
_VERSIONS = Statement(
    select(streams.c.originator_id, func.coalesce(_last_hot.scalar_subquery(), streams.c.version))
    .where(streams.c.originator_id > bindparam("after"))
    .order_by(streams.c.originator_id),
    "after",
)


def last_account(connection: Connection, after: str, events_at_least: int) -> str:
    """The end of a group of accounts with some number of events together, or AFTER_ALL."""
    total = 0
    for originator, version in _VERSIONS.run(connection, bytes_of(after)):
        total += version + 1
        if total >= events_at_least:
            return str(stored_uuid(originator))
    return AFTER_ALL


def without_forgotten(connection: Connection, table: pa.Table) -> pa.Table:
    """The engagements of a partial without those of forgotten users, with the column stream."""
    known = _with_streams(table, _ACCOUNTS, connection)
    stream = known["stream"].to_numpy()
    return known if stream.min() != NO else known.filter(pa.array(stream != NO))


def numbered(connection: Connection, table: pa.Table) -> pa.Table:
    """All engagements of a partial, including those of forgotten users, with the column stream."""
    return _with_streams(table, _STREAMS, connection)


def _with_streams(table: pa.Table, statement: Statement, connection: Connection) -> pa.Table:
    first, last = (table["account"][row].as_py() for row in (0, len(table) - 1))
    streams_of = dict(statement.run(connection, bytes_of(before(first)), bytes_of(last)))
    account = one_chunk(table["account"])
    starts = starts_of(account.indices.to_numpy())
    whose = account.take(pa.array(starts)).to_pylist()
    numbers = [streams_of.get(bytes_of(each), NO) for each in whose]
    stream = np.repeat(np.array(numbers, np.int64), np.diff(starts, append=len(account)))
    return table.append_column("stream", pa.array(stream))


def bytes_of(account: str) -> bytes:
    """The bytes of an account as in the table of streams, or of the limits before and after all."""
    return _ENDS[account] if account in _ENDS else UUID(account).bytes


def before(account: str) -> str:
    """The greatest key that sorts before an account."""
    number = UUID(account).int
    return str(UUID(int=number - 1)) if number else BEFORE_ALL


# The partials of the hot events: one for all if they are few, or one per account.

SORTED_IN_MEMORY = 500_000
"""The most hot events that are read by position; SQLite sorts more of them, on disk."""

SAID = (
    events.c.issue_id,
    events.c.occurred_at,
    events.c.position,
    events.c.recorded_at,
    CODE,
    events.c.linear_id,
    events.c.score,
)
_LAST: Query[int | None] = Query(value, select(func.max(events.c.position)))
_FOLDED = and_(events.c.issue_id.is_not(None), events.c.position <= bindparam("through"))
_ALL = Statement(
    select(events.c.stream, *SAID).where(_FOLDED).order_by(events.c.position), "through"
)
_ALL_ACCOUNTS = Statement(select(streams.c.id, streams.c.originator_id))
_OF_SPAN = Statement(
    select(streams.c.originator_id, *SAID)
    .join(streams, streams.c.id == events.c.stream)
    .where(IN_SPAN, _FOLDED)
    .order_by(streams.c.originator_id, events.c.issue_id, events.c.position),
    "after",
    "upto",
    "through",
)

_READ_AT_ONCE = 16_384
_SOME = 4_096
"""Rows per batch, which stay in the processor's cache until they are converted to columns."""


def hot_partials(
    connection: Connection,
    after: str = BEFORE_ALL,
    upto: str = AFTER_ALL,
    through: int = sys.maxsize,
) -> Iterator[pa.Table]:
    """Yield the partials of the hot events of some accounts, up to a position."""
    known = corrections(connection)
    if (after, upto) == (BEFORE_ALL, AFTER_ALL) and _span(connection) <= SORTED_IN_MEMORY:
        yield from partial_of_all(connection, _ALL.run(connection, through), known)
    else:
        cursor = _OF_SPAN.run(connection, bytes_of(after), bytes_of(upto), through)
        while rows := cursor.fetchmany(_READ_AT_ONCE):
            yield partial_of_rows(rows, known)


def _span(connection: Connection) -> int:
    """The number of positions from the first to the last hot event."""
    return (_LAST.one(connection) or 0) - sealed_position(connection)


@without_collecting()
def partial_of_all(
    connection: Connection,
    cursor: Any,  # noqa: ANN401 - a DBAPI cursor
    known: Corrections,
) -> list[pa.Table]:
    """Return the partial of all events of a cursor, if there are any: streams and what is SAID."""
    batches, found = list[pa.RecordBatch](), list[pa.Array]()
    while rows := cursor.fetchmany(_SOME):
        stream, *said = zip(*rows, strict=True)
        found.append(pa.array(stream, pa.int64()))
        batches.append(hot_batch(*said))
    if not batches:
        return []
    accounts = _accounts(dict(_ALL_ACCOUNTS.run(connection)), found)
    return [partial_of_hot(accounts, one_table([pa.Table.from_batches(batches)]), known)]


def _accounts(originators: dict[int, Any], found: Iterable[pa.Array]) -> pa.DictionaryArray:
    stream = pa.chunked_array(found).combine_chunks().dictionary_encode()
    texts = uuids(originators[each] for each in stream.dictionary.to_pylist())
    return pa.DictionaryArray.from_arrays(stream.indices, pa.array(list(texts), pa.string()))


# A long tail folded by engagement, some accounts at a time.

_e = events.c
_IN_TAIL = (
    _e.issue_id.is_not(None),
    _e.position > bindparam("after"),
    _e.position <= bindparam("upto"),
)
_COUNTS = Statement(
    select(_e.stream, func.count()).where(*_IN_TAIL).group_by(_e.stream).order_by(_e.stream),
    "after",
    "upto",
)
_OF_STREAMS = Statement(
    select(_e.stream, *SAID)
    .where(*_IN_TAIL, _e.stream >= bindparam("first"), _e.stream <= bindparam("last"))
    .order_by(_e.position),
    "after",
    "upto",
    "first",
    "last",
)


def spans(connection: Connection, after: int, upto: int, at_once: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last stream of spans of the tail with so many events, or one's."""
    if upto - after <= at_once:
        yield 0, sys.maxsize
        return
    first, last, total = 0, 0, 0
    for stream, count in _COUNTS.run(connection, after, upto).fetchall():
        if total and total + count > at_once:
            yield first, last
            first, total = stream, 0
        last, total = stream, total + count
    yield first, last


def folded_span(
    connection: Connection, after: int, upto: int, span: tuple[int, int]
) -> Iterator[pa.Table]:
    """Yield the engagements of a span by their ids, as a partial with the column stream.

    They hold the events at the positions `after` < position <= `upto`, none of which is sealed.
    """
    cursor = _OF_STREAMS.run(connection, after, upto, *span)
    for partial in partial_of_all(connection, cursor, corrections(connection)):
        table = without_forgotten(connection, partial)
        yield table.take(pa.array(np.argsort(table["id"].to_numpy())))


# Folding of the ledger's events, hot and sealed: by engagement, or in the order of recording.

_RECORDED = Statement(
    select(*FOLDED)
    .where(events.c.position > bindparam("after"), events.c.position <= bindparam("upto"), FOLDABLE)
    .order_by(events.c.position),
    "after",
    "upto",
)
_COUNT: Query[int] = Query(value, select(func.count()).select_from(events).where(FOLDABLE))


def folds(
    connection: Connection, archive: Archive, after: str = BEFORE_ALL, upto: str = AFTER_ALL
) -> Iterator[Folded]:
    """Yield every engagement of some accounts folded from its events, hot and sealed.

    They are sorted by account and issue, and of the accounts `after` < account <= `upto`.
    """
    for table in folded_tables(connection, archive, after, upto):
        yield from rows_of(table)


def folded_tables(
    connection: Connection,
    archive: Archive,
    after: str = BEFORE_ALL,
    upto: str = AFTER_ALL,
    through: int = sys.maxsize,
) -> Iterator[pa.Table]:
    """`folds` as partials with the column stream, of events up to a position.

    No event after that position may be sealed.
    """
    known = corrections(connection)
    sealed = (
        corrected_groups(archive, known, segment, FOLDED_COLUMNS, after, upto)
        for segment in segments(connection)
    )
    for table in merged(sealed, [hot_partials(connection, after, upto, through)]):
        yield without_forgotten(connection, table)


def kept_rows(
    connection: Connection, statements: TableStatements, after: str, upto: str
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table of engagements in the order of `folds`, each after its account.

    An account is given as the 16 bytes of its UUID.
    """
    rows: Iterator[tuple[Any, ...]] = statements.of_accounts.run(
        connection, bytes_of(after), bytes_of(upto)
    )
    return rows


def recorded(connection: Connection, archive: Archive, after: int, upto: int) -> list[EventRow]:
    """The rows for folds of the events at the positions `after` < position <= `upto`."""
    sealed = sealed_rows(connection, archive, after + 1, upto)
    hot = list(map(folded_event, _RECORDED.run(connection, after, upto)))
    return [*sealed, *corrections(connection).of(hot)]


def count(connection: Connection) -> int:
    """An upper limit of the number of events to fold, which may include forgotten users'."""
    return _COUNT.one(connection) + events_in(segments(connection))
