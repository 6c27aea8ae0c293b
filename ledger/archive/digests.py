"""Digests of the contents of events, independent of the file and of their order in it.

docs/reference/segments.md describes how to compute them with other tools.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ledger.archive.columns import SCHEMA, STATE, TEXTS, Integers, integers, one_chunk

WINDOW = 1 << 20
"""Positions per window; windows begin at its multiples, and one is in memory at a time."""

Columns = Callable[[str], Iterator[pa.ChunkedArray]]
"""Yields the column of a name in pieces, which have the same rows for all names.

The states are among them, null where a table or file has none.
"""

Range = tuple[int, int]
"""The first and the last position."""

_HASHED = pa.binary(32)


def digest(table: pa.Table) -> bytes:
    """The SHA-256 of the contents of the events in `table`, independent of their order."""
    positions = integers(table["position"])
    whole = int(positions.min()), int(positions.max())
    if STATE.name not in table.column_names:
        table = table.append_column(STATE, pa.nulls(len(table), STATE.type))
    return digests(lambda name: iter([table[name]]), [whole])[0]


def differing(columns: Columns, known: Mapping[Range, bytes]) -> Range | None:
    """Return the first range whose contents in `columns` do not have the known digest, if any."""
    found = zip(digests(columns, list(known)), known.items(), strict=True)
    return next((range_ for digest, (range_, wanted) in found if digest != wanted), None)


def digests(columns: Columns, ranges: Sequence[Range]) -> list[bytes]:
    """Return the SHA-256 of the contents of the events in each of some ranges of positions.

    They are hashed by windows, and by columns within them: numbers as little-endian 64-bit
    integers; texts as the sorted different ones, each followed by a zero byte, and then the index
    of each row's text, -1 for null. Only a window of one column is in memory at a time.

    States come last, each as its SHA-256, if a window of the range has any: so the digest of events
    without any does not depend on the file.
    """
    totals = [hashlib.sha256() for _ in ranges]
    numbers = [np.unique(integers(piece) // WINDOW) for piece in columns("position")]
    for number in np.unique(np.concatenate(numbers)).tolist():
        window = _Window(columns, number * WINDOW)
        places = [window.rows(*each) for each in ranges]
        for field in (*SCHEMA, STATE):
            column = window.column(field.name)
            for total, (row, end) in zip(totals, places, strict=True):
                part = column.slice(row, end - row)
                if row < end and (field != STATE or part.null_count < len(part)):
                    total.update(_column_digest(part, is_text=field.name in TEXTS))
    return [total.digest() for total in totals]


class _Window:
    """The events at WINDOW consecutive positions, by position."""

    def __init__(self, columns: Columns, begin: int) -> None:
        self._columns, self._is_in, found = columns, list[pa.Array](), []
        for piece in columns("position"):
            each = integers(piece)
            is_in = (begin <= each) & (each < begin + WINDOW)
            self._is_in.append(pa.array(is_in))
            found.append(each[is_in])
        positions = np.concatenate(found)
        self._order = np.argsort(positions)
        self._positions = positions[self._order]

    def rows(self, first: int, last: int) -> tuple[int, int]:
        """The rows of the events at the positions `first` to `last`, as a half-open range."""
        begin, end = np.searchsorted(self._positions, (first, last + 1))
        return int(begin), int(end)

    def column(self, name: str) -> pa.ChunkedArray:
        type_ = _HASHED if name == STATE.name else SCHEMA.field(name).type
        if pa.types.is_fixed_size_binary(type_):
            return self._placed(name, type_)
        column = pa.chunked_array(self._chunks(name), type_).unify_dictionaries()
        return pa.chunked_array([column.combine_chunks().take(pa.array(self._order))])

    def _placed(self, name: str, type_: pa.DataType) -> pa.ChunkedArray:
        """Return a column of bytes, the widest one, in pieces, to have it in memory only once."""
        values = np.zeros((len(self._order), type_.byte_width), np.uint8)
        is_valid = np.zeros(len(self._order), bool)
        rows = np.empty_like(self._order)
        rows[self._order] = np.arange(len(rows))
        for chunk in self._chunks(name):
            row, rows = rows[: len(chunk)], rows[len(chunk) :]
            values[row] = _bytes_in(chunk.fill_null(bytes(type_.byte_width)))
            is_valid[row] = chunk.is_valid()
        _, validity = pa.array(is_valid).buffers()
        buffers = [validity, pa.py_buffer(values)]
        return pa.chunked_array([pa.Array.from_buffers(type_, len(values), buffers)])

    def _chunks(self, name: str) -> Iterator[pa.Array]:
        for piece, is_in in zip(self._columns(name), self._is_in, strict=True):
            found = piece.filter(is_in)
            yield from map(_hashed, found.chunks) if name == STATE.name else found.chunks


def _hashed(states: pa.Array) -> pa.Array:
    """The SHA-256 of each state, which takes a fraction of its memory."""
    if states.null_count == len(states):
        return pa.nulls(len(states), _HASHED)
    hashes = (
        None if each is None else hashlib.sha256(each).digest() for each in states.to_pylist()
    )
    return pa.array(hashes, _HASHED)


def _column_digest(column: pa.ChunkedArray, *, is_text: bool) -> bytes:
    summed = hashlib.sha256()
    if is_text:
        coded = one_chunk(column)
        codes: Integers = coded.indices.fill_null(-1).to_numpy()
        is_used = np.zeros(len(coded.dictionary) + 1, bool)
        is_used[codes] = True
        used = np.flatnonzero(is_used[:-1])
        used = used[pc.sort_indices(coded.dictionary.take(pa.array(used))).to_numpy()]
        summed.update(_ended(coded.dictionary.take(pa.array(used))))
        rank = np.full(len(is_used), -1)
        rank[used] = np.arange(len(used))
        summed.update(rank[codes].astype("<i8").data)
    elif column.type == pa.float64():
        summed.update(column.is_valid().to_numpy().data)
        summed.update(column.fill_null(0.0).to_numpy().astype("<f8").data)
    elif pa.types.is_fixed_size_binary(column.type):
        summed.update(column.is_valid().to_numpy().data)
        for chunk in column.chunks:
            summed.update(_bytes_in(chunk).data)  # zeros for null
    else:
        summed.update(integers(column).astype("<i8").data)
    return summed.digest()


def _ended(texts: pa.Array) -> bytes:
    """Concatenate the UTF-8 of texts, each followed by a zero byte."""
    whole = pa.ListArray.from_arrays([0, len(texts)], texts)
    joined: str = pc.binary_join(whole, "\0")[0].as_py()
    return f"{joined}\0".encode() if len(texts) else b""


def _bytes_in(column: pa.Array) -> NDArray[np.uint8]:
    """The memory of a column of bytes, including that of nulls."""
    _, stored = column.buffers()
    values = np.frombuffer(stored, np.uint8).reshape(-1, column.type.byte_width)
    return values[column.offset : column.offset + len(column)]
