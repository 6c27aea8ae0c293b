"""Sorted tables, read side by side and step by step.

A source is tables one after the other, sorted by some columns. Each is read no further than is
needed, so memory holds a few tables of each, whatever the history's size.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from ledger.archive.columns import one_chunk

Place = tuple[Any, ...]
"""The values by which rows are sorted; texts as by their code points."""

Source = Iterator[pa.Table]

_FEW = 4
"""A step that takes less than this part of its rows is made longer, if it can be."""


def steps(readers: Sequence["Reader"], rows_at_once: int) -> Iterator[list[pa.Table]]:
    """Yield what there is of some places, all that there is of each, from one place on to another.

    About so many rows at once: what the sources have of them, each sorted for itself.
    """
    rows = rows_at_once // (len(readers) + 1) + 1
    while True:
        readers = [reader for reader in readers if reader.has_more(rows)]
        if not readers:
            return
        upto = _reach(readers, rows, rows_at_once)
        yield [part for reader in readers for part in reader.take(upto)]


def _reach(readers: Sequence["Reader"], rows: int, rows_at_once: int) -> Place | None:
    """Return a place before which all is at hand: as much as a step takes, if there is so much.

    Where one source alone has the next places, `rows` of each would be little.
    """
    upto = _nearest(readers, rows)
    while _FEW * _before(readers, upto) < rows_at_once:
        rows *= 2
        further = _nearest(readers, rows)
        if further == upto or _before(readers, further) > rows_at_once:
            break
        upto = further
    return upto


def _before(readers: Sequence["Reader"], upto: Place | None) -> int:
    return sum(each.before(upto) for each in readers)


def _nearest(readers: Sequence["Reader"], rows: int) -> Place | None:
    return min(filter(None, (reader.reach(rows) for reader in readers)), default=None)


class _Part:
    """Some rows of a table."""

    def __init__(self, table: pa.Table, sorted_by: Sequence[str]) -> None:
        self.table = table
        self._sorted_by = sorted_by
        self._columns = [_Column(one_chunk(table[name])) for name in sorted_by]
        self._before: dict[Place | None, int] = {}

    def __len__(self) -> int:
        return len(self.table)

    def place(self, row: int) -> Place:
        return tuple([column[row] for column in self._columns])

    def before(self, upto: Place | None) -> int:
        """Return how many rows stand before a place, or how many there are."""
        if upto not in self._before:
            self._before[upto] = self._search(upto)
        return self._before[upto]

    def _search(self, upto: Place | None) -> int:
        if upto is None or self.place(-1) < upto:
            return len(self)
        return bisect_left(range(len(self)), upto, key=self.place)

    def cut(self, row: int) -> tuple["_Part", "_Part"]:
        """Return the first rows, and the others."""
        first, others = self.table.slice(0, row), self.table.slice(row)
        return _Part(first, self._sorted_by), _Part(others, self._sorted_by)


class _Column:
    """Values that are looked at one by one; of texts without making a dictionary for each."""

    def __init__(self, column: pa.Array) -> None:
        self._codes, self._values = None, column
        if isinstance(column, pa.DictionaryArray):
            self._codes, self._values = column.indices.to_numpy(), column.dictionary

    def __getitem__(self, row: int) -> Any:  # noqa: ANN401 - of any column
        return self._values[row if self._codes is None else self._codes.item(row)].as_py()


class Reader:
    """Reads one source, as far as is asked."""

    def __init__(self, source: Source, sorted_by: Sequence[str]) -> None:
        """Read what comes sorted by those columns."""
        self._source, self._sorted_by = source, sorted_by
        self._parts: deque[_Part] = deque()
        self._goes_on = True

    def has_more(self, rows: int) -> bool:
        """Return whether there is a place left, having more than `rows` at hand if there are.

        Two of them at least differ, unless there is no other one.
        """
        while self._lacks(rows):
            table = next(self._source, None)
            self._goes_on = table is not None
            if table:
                self._parts.append(_Part(table, self._sorted_by))
        return bool(self._parts)

    def reach(self, rows: int) -> Place | None:
        """Return a place before which all is at hand, about so many rows; None if it ends there.

        What is yet to come may go on with the last place at hand.
        """
        if len(self) > rows and (place := self._place(rows)) > self._first:
            return place
        return self._last if self._goes_on else None

    def take(self, upto: Place | None) -> Iterator[pa.Table]:
        """Yield what is at hand before a place, or all of it, and have that no more."""
        while self._parts and (row := self._parts[0].before(upto)):
            part = self._parts.popleft()
            if row < len(part):
                part, rest = part.cut(row)
                self._parts.appendleft(rest)
            yield part.table

    def before(self, upto: Place | None) -> int:
        """Return how many rows at hand stand before a place, or how many there are."""
        return sum(part.before(upto) for part in self._parts)

    def _lacks(self, rows: int) -> bool:
        return self._goes_on and (len(self) <= rows or self._first == self._last)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @property
    def _first(self) -> Place:
        return self._parts[0].place(0)

    @property
    def _last(self) -> Place:
        return self._parts[-1].place(-1)

    def _place(self, row: int) -> Place:
        for part in self._parts:
            if row < len(part):
                return part.place(row)
            row -= len(part)
        raise IndexError(row)
