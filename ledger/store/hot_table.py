"""The hot events of a range as the table of a segment.

Segments are written from such tables. Each row of the hot store is rebuilt from the table's columns
and must have the checksum that was written with it, which proves that the row is sound and that the
table holds all of it.
"""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, Table, bindparam, select

from ledger.archive.columns import SCHEMA, event_batch, listed, occurred_at, one_table, recorded_at
from ledger.errors import LedgerDamagedError
from ledger.events import INTERACTION, OVERRIDE
from ledger.store import tables
from ledger.store.checksums import checked, checksums
from ledger.store.collecting import without_collecting
from ledger.store.statements import Statement

_e = tables.events
_HOT = Statement(
    select(_e)
    .where(
        _e.c.position >= bindparam("first"),
        _e.c.position <= bindparam("last"),
        _e.c.issue_id.is_not(None),
    )
    .order_by(_e.c.position),
    "first",
    "last",
)
_NAMES = {
    table.name: Statement(select(table.c.id, uuid, table))
    for table, uuid in (
        (tables.streams, tables.streams.c.originator_id),
        (tables.places, tables.places.c.place),
    )
}
_READ_AT_ONCE = 4_096

Row = tuple[Any, ...]


class HotEvents:
    """Reads hot events in one snapshot; accounts and places are read and checked at the start."""

    def __init__(self, connection: Connection) -> None:
        """Read through `connection`; raises LedgerDamagedError for a damaged stream or place."""
        self._connection = connection
        self._accounts = _names(connection, tables.streams)
        self._places = _names(connection, tables.places)
        self._stream_of = {name: number for number, name in self._accounts.items()}
        self._number_of = {name: number for number, name in self._places.items()}

    @without_collecting()
    def table(self, first: int, last: int) -> pa.Table:
        """Return the events at the positions `first` to `last`, by position.

        Raises LedgerDamagedError if a row is not what was written.
        """
        cursor, batches = _HOT.run(self._connection, first, last), []
        while rows := cursor.fetchmany(_READ_AT_ONCE):
            try:
                batch = self._batch(rows)
            except (pa.ArrowException, ArithmeticError, LookupError, TypeError, ValueError):
                _expect_sound(rows, (row[:-1] for row in rows))
                raise _damaged(rows[0]) from None  # wrong type, no checksum
            _expect_sound(rows, self._rows(batch))
            batches.append(batch)
        return one_table([pa.Table.from_batches(batches, SCHEMA)])

    def _batch(self, rows: Sequence[Row]) -> pa.RecordBatch:
        position, stream, version, _, recorded, issue, kind, occurred, linear_id, score, *rest = (
            zip(*rows, strict=True)
        )
        place, commitment, *_ = rest
        return event_batch(
            _coded(stream, self._accounts),
            issue,
            occurred,
            position,
            version,
            recorded,
            kind,
            linear_id,
            score,
            _coded(place, self._places),
            commitment,
        )

    def _rows(self, batch: pa.RecordBatch) -> Iterator[Row]:
        """Yield the rows of events as in the hot store, without checksums."""
        said = pa.Table.from_batches([batch])
        kinds = said["kind"].to_pylist()
        return zip(
            said["position"].to_pylist(),
            _numbers(batch.column("account"), self._stream_of),
            said["version"].to_pylist(),
            [OVERRIDE if kind is None else INTERACTION for kind in kinds],
            recorded_at(said).tolist(),
            listed(said["issue_id"]),
            kinds,
            occurred_at(said).tolist(),
            listed(said["linear_id"]),
            said["score"].to_pylist(),
            _numbers(batch.column("place"), self._number_of),
            listed(said["commitment"]),
            repeat(None),  # the state: these events are stored in columns alone
        )


def _names(connection: Connection, table: Table) -> dict[int, str]:
    """The UUIDs of the streams or places as texts, by their numbers."""
    found = {}
    for number, uuid, *row in _NAMES[table.name].run(connection):
        checked(table.name, row)
        found[number] = str(UUID(bytes=uuid))
    return found


def _coded(numbers: Sequence[int | None], names: dict[int, str]) -> pa.DictionaryArray:
    found = pa.array(numbers, pa.int64()).dictionary_encode()
    texts = pa.array([names[each] for each in found.dictionary.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(found.indices, texts)


def _numbers(column: pa.DictionaryArray, numbers: dict[str, int]) -> list[int | None]:
    values = pa.array([numbers[each] for each in column.dictionary.to_pylist()], pa.int64())
    taken: list[int | None] = values.take(column.indices).to_pylist()
    return taken


def _expect_sound(rows: Sequence[Row], rebuilt: Iterator[Row]) -> None:
    """Compare rows with those rebuilt from the table, by their checksums if they have one.

    Raises LedgerDamagedError for the first row that differs.
    """
    others = list(rebuilt)
    written = [row[-1] for row in rows]
    found = checksums(_e.name, others)
    if found == written:
        return
    for row, other, sum_ in zip(rows, others, found, strict=True):
        if other != row[:-1] if row[-1] is None else sum_ != row[-1]:
            raise _damaged(row)


def _damaged(row: Row) -> LedgerDamagedError:
    return LedgerDamagedError(
        f"the event at position {row[0]} is not what was written; nothing is sealed"
    )
