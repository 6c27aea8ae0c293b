"""Digests of what events say, whichever file says it and in whatever order.

docs/reference/segments.md describes how they are computed, for whoever does so with another tool.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.archive.columns import SCHEMA, TEXTS, Integers, integers, one_chunk

WINDOW = 1 << 20
"""Positions whose events are looked at together, in memory: those from a multiple of it on."""

_BYTES_AT_ONCE = 65_536  # rows of a column that takes much memory

Columns = Callable[[str], Iterator[pa.ChunkedArray]]
"""Yields the column of a name piece by piece; each piece is of the same rows, whatever the name."""

Range = tuple[int, int]
"""The first and the last position."""


def digest(table: pa.Table) -> bytes:
    """Return the SHA-256 of what the events of `table` say, in whatever order it has them."""
    positions = integers(table["position"])
    whole = int(positions.min()), int(positions.max())
    return digests(lambda name: iter([table[name]]), [whole])[0]


def differing(columns: Columns, known: Mapping[Range, bytes]) -> Range | None:
    """Return the first range of which `columns` do not say what has the known digest, if any."""
    found = zip(digests(columns, list(known)), known.items(), strict=True)
    return next((range_ for digest, (range_, wanted) in found if digest != wanted), None)


def digests(columns: Columns, ranges: Sequence[Range]) -> list[bytes]:
    """Return the SHA-256 of what the events of each of some ranges of positions say.

    Window by window and column by column: numbers as 64 bits, least byte first; of texts the
    different ones in their order, each ended by a zero byte, and for each row which one it is, -1
    for none. A window of one column is in memory at once, however many rows there are.
    """
    totals = [hashlib.sha256() for _ in ranges]
    numbers = [np.unique(integers(piece) // WINDOW) for piece in columns("position")]
    for number in np.unique(np.concatenate(numbers)).tolist():
        window = _Window(columns, number * WINDOW)
        places = [window.rows(*each) for each in ranges]
        for field in SCHEMA:
            column = window.column(field.name)
            for total, (row, end) in zip(totals, places, strict=True):
                if row < end:
                    part = column.slice(row, end - row)
                    total.update(_column_digest(part, is_text=field.name in TEXTS))
    return [total.digest() for total in totals]


class _Window:
    """The events at WINDOW positions, by position."""

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
        """Return the rows of the events at the positions `first` to `last`: from, and before."""
        begin, end = np.searchsorted(self._positions, (first, last + 1))
        return int(begin), int(end)

    def column(self, name: str) -> pa.ChunkedArray:
        return pa.chunked_array([self._in_window(name).take(pa.array(self._order))])

    def _in_window(self, name: str) -> pa.Array:
        pieces = zip(self._columns(name), self._is_in, strict=True)
        chunks = [chunk for piece, is_in in pieces for chunk in piece.filter(is_in).chunks]
        column = pa.chunked_array(chunks, SCHEMA.field(name).type)
        return column.unify_dictionaries().combine_chunks()


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
        for begin in range(0, len(column), _BYTES_AT_ONCE):
            _update_with_bytes(summed, column.slice(begin, _BYTES_AT_ONCE))
    else:
        summed.update(integers(column).astype("<i8").data)
    return summed.digest()


def _update_with_bytes(summed: Any, column: pa.ChunkedArray) -> None:  # noqa: ANN401 - a hash
    filled = column.fill_null(bytes(column.type.byte_width)).combine_chunks()
    width, (_, values) = filled.type.byte_width, filled.buffers()
    summed.update(values[filled.offset * width : (filled.offset + len(filled)) * width])
