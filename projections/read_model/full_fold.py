"""The partials of the hot events: one for all if they are few, or one per account."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, and_, bindparam, func, select

from ledger.archive.columns import one_table, uuids
from ledger.events import Corrections
from ledger.store.clock_corrections import corrections
from ledger.store.collecting import without_collecting
from ledger.store.segment_rows import sealed_position
from ledger.store.statements import Statement
from ledger.store.tables import events, streams
from projections.read_model.accounts import AFTER_ALL, BEFORE_ALL, IN_SPAN, bytes_of
from projections.read_model.columnar_fold import hot_batch, partial_of_hot, partial_of_rows

SORTED_IN_MEMORY = 500_000
"""The most hot events that are read by position; SQLite sorts more of them, on disk."""

SAID = (
    events.c.issue_id,
    events.c.occurred_at,
    events.c.position,
    events.c.recorded_at,
    events.c.kind,
    events.c.linear_id,
    events.c.score,
)
_LAST = Statement(select(func.max(events.c.position)))
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
    last: int | None = _LAST.run(connection).fetchone()[0]
    return (last or 0) - sealed_position(connection)


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
