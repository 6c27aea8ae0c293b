"""The columns of a segment: all that its events say, as Arrow tables.

docs/reference/segments.md describes them for whoever reads the files with another tool.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_SECOND = 1_000_000
_CODED = pa.dictionary(pa.int32(), pa.string())

TEXTS = ("account", "issue_id", "linear_id", "place")
"""The columns that hold few different texts: numbers into a list of these, in memory and file."""

SCHEMA = pa.schema(
    [
        pa.field("account", _CODED, nullable=False),
        pa.field("issue_id", _CODED, nullable=False),
        pa.field("occurred_second", pa.int64(), nullable=False),
        pa.field("occurred_microsecond", pa.int32(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("recorded_after", pa.int64(), nullable=False),
        pa.field("kind", pa.int8()),
        pa.field("linear_id", _CODED),
        pa.field("score", pa.float64()),
        pa.field("place", _CODED),
        pa.field("commitment", pa.binary(32)),
    ]
)
"""Occurred in seconds since 1970 UTC and microseconds on top; recorded so many microseconds later.

Few clocks of sources tell more than seconds, so the parts take little more than half the bytes.
"""

_ROWS_AT_ONCE = 65_536

Integers = NDArray[np.int64]

Column = Callable[[str], pa.ChunkedArray]
"""Returns the column of a name."""

Range = tuple[int, int]
"""The first and the last position."""

EVERYTHING: Range = (1, 2**62)


def table_of(rows: Iterable[Sequence[Any]]) -> pa.Table:
    """Return the table of events, in the order of `rows`, which say of each:

    account, issue, occurred_at, position, version, recorded_at, kind, linear_id, score, place and
    commitment; account and place as the 16 bytes of their UUIDs.
    """
    source = iter(rows)
    batches = []
    while some := list(islice(source, _ROWS_AT_ONCE)):
        batches.append(_batch(some))
    return pa.Table.from_batches(batches, SCHEMA).unify_dictionaries().combine_chunks()


def order(table: pa.Table) -> Integers:
    """Return the numbers of the rows by account, issue, occurred_at and position."""
    account, issue = (ranks(table[name]) for name in ("account", "issue_id"))
    return np.lexsort((integers(table["position"]), occurred_at(table), issue, account))


def by_position(table: pa.Table) -> pa.Table:
    """Return the events as they were recorded."""
    return table.take(pa.array(np.argsort(integers(table["position"]))))


def occurred_at(table: pa.Table) -> Integers:
    """Return when each event occurred."""
    seconds, microseconds = table["occurred_second"], table["occurred_microsecond"]
    return integers(seconds) * _SECOND + integers(microseconds)


def recorded_at(table: pa.Table) -> Integers:
    """Return when each event was recorded."""
    return occurred_at(table) + integers(table["recorded_after"])


def integers(column: pa.ChunkedArray) -> Integers:
    """Return a column of numbers, 0 where there is none."""
    known = column.fill_null(0) if column.null_count else column
    return np.asarray(known.to_numpy(), np.int64)


def ranks(column: pa.ChunkedArray) -> Integers:
    """Return for each row the place of its text among those of the column, -1 where there is none.

    Texts are compared by their code points, which is the order of their UTF-8 bytes too.
    """
    coded = one_chunk(column)
    indices: Integers = coded.indices.fill_null(-1).to_numpy()
    return _ranks_of(coded.dictionary)[indices]


def one_chunk(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Return a column of texts as one array, whose dictionary holds each text once."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.unify_dictionaries().combine_chunks()


def own_texts(table: pa.Table) -> pa.Table:
    """Return the same events, with only their own texts in their dictionaries, sorted."""
    for number, name in enumerate(table.column_names):
        if name in TEXTS:
            column = table[name].cast(pa.string()).combine_chunks()
            texts = column.unique().drop_null().sort()
            codes = pc.index_in(column, value_set=texts)
            own = pa.DictionaryArray.from_arrays(codes, texts)
            table = table.set_column(number, SCHEMA.field(name), own)
    return table


def digest(table: pa.Table) -> bytes:
    """Return the SHA-256 of what the events of `table` say, in whatever order it has them.

    Column by column, by position: numbers as 64 bits, least byte first; of texts the different ones
    in their order, each ended by a zero byte, and for each row which one it is, -1 for none.
    """
    return digests(table.column, [EVERYTHING])[0]


def digests(column_of: Column, ranges: Sequence[Range]) -> list[bytes]:
    """Return the digest of the events of each of some ranges of positions.

    Columns are asked for by name, one after the other, so that a file need not be held at once.
    """
    positions = integers(column_of("position"))
    in_order = np.argsort(positions)
    bounds = [np.searchsorted(positions[in_order], (first, last + 1)) for first, last in ranges]
    totals = [hashlib.sha256() for _ in ranges]
    for field in SCHEMA:
        column = column_of(field.name).take(pa.array(in_order))
        for total, (begin, end) in zip(totals, bounds, strict=True):
            part = column.slice(begin, end - begin)
            total.update(_column_digest(part, is_text=field.name in TEXTS))
    return [total.digest() for total in totals]


def _column_digest(column: pa.ChunkedArray, *, is_text: bool) -> bytes:
    summed = hashlib.sha256()
    if is_text:
        coded = one_chunk(column)
        codes: Integers = coded.indices.fill_null(-1).to_numpy()
        is_used = np.zeros(len(coded.dictionary) + 1, bool)
        is_used[codes] = True
        used = np.flatnonzero(is_used[:-1])
        used = used[pc.sort_indices(coded.dictionary.take(pa.array(used))).to_numpy()]
        texts = coded.dictionary.take(pa.array(used)).to_pylist()
        summed.update("".join(f"{text}\0" for text in texts).encode())
        rank = np.full(len(is_used), -1)
        rank[used] = np.arange(len(used))
        summed.update(rank[codes].astype("<i8").data)
    elif column.type == pa.float64():
        summed.update(column.is_valid().to_numpy().data)
        summed.update(column.fill_null(0.0).to_numpy().astype("<f8").data)
    elif pa.types.is_fixed_size_binary(column.type):
        summed.update(column.is_valid().to_numpy().data)
        filled = column.fill_null(bytes(column.type.byte_width)).combine_chunks()
        width, (_, values) = filled.type.byte_width, filled.buffers()
        summed.update(values[filled.offset * width : (filled.offset + len(filled)) * width])
    else:
        summed.update(integers(column).astype("<i8").data)
    return summed.digest()


def _ranks_of(dictionary: pa.Array) -> Integers:
    """Return the rank of each text of a dictionary, and -1 at the end, for none."""
    ranked = np.empty(len(dictionary) + 1, np.int64)
    ranked[-1] = -1
    ranked[pc.sort_indices(dictionary).to_numpy()] = np.arange(len(dictionary))
    return ranked


def _batch(rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    account, issue, occurred, position, version, recorded, *rest = zip(*rows, strict=True)
    kind, linear_id, score, place, commitment = rest
    occurred_at_ = np.array(occurred, np.int64)
    second, microsecond = np.divmod(occurred_at_, _SECOND)
    return pa.record_batch(
        [
            coded(uuids(account)),
            coded(issue),
            second,
            microsecond.astype(np.int32),
            pa.array(position, pa.int64()),
            pa.array(version, pa.int32()),
            np.array(recorded, np.int64) - occurred_at_,
            pa.array(kind, pa.int8()),
            coded(linear_id),
            pa.array(score, pa.float64()),
            coded(uuids(place)),
            pa.array(commitment, pa.binary(32)),
        ],
        schema=SCHEMA,
    )


def coded(texts: Iterable[str | None]) -> pa.DictionaryArray:
    """Return a column of texts as an array."""
    return pa.array(list(texts), pa.string()).dictionary_encode()


def uuids(columns: Iterable[bytes | None]) -> Iterator[str | None]:
    """Yield UUIDs as people write them, of their 16 bytes."""
    return map(_uuid, columns)


@lru_cache(maxsize=100_000)
def _uuid(of: bytes | None) -> str | None:
    return None if of is None else str(UUID(bytes=of))
