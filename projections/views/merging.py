"""Sources of partials, merged: read side by side, and joined step by step.

A source is partials one after the other, by account and issue. Each is read no further than is
needed, so memory holds a partial or two of each, whatever the history's size.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pyarrow as pa

from ledger.archive.columns import one_chunk
from projections.views.partials import joined

Place = tuple[str, str]
"""An account and an issue: partials are sorted by both, as by their code points."""

Source = Iterator[pa.Table]

_ROWS_AT_ONCE = 131_072
"""The most that are joined in a step: more are joined faster, and need more memory."""

_THREADS = 2  # most of the work is done by libraries that let others run meanwhile


def merged(sealed: Iterable[Source], hot: Iterable[Source] = ()) -> Iterator[pa.Table]:
    """Yield partials that hold each engagement once, whole, by account and issue.

    Other threads read what is sealed, no source in two at once, and join what was read before;
    what is hot, and has a connection in common, is read by whoever iterates.
    """
    with ThreadPoolExecutor(_THREADS) as others:
        readers = [*(_Reader(each, others) for each in sealed), *map(_Reader, hot)]
        before: Future[pa.Table] | None = None
        for taken in _steps(readers):
            now = others.submit(joined, taken)
            if before is not None:
                yield before.result()
            before = now
        if before is not None:
            yield before.result()


def _steps(readers: list["_Reader"]) -> Iterator[list[pa.Table]]:
    """Yield what there is of some engagements, all that there is of each."""
    rows = _ROWS_AT_ONCE // (len(readers) + 1) + 1
    while True:
        for reader in readers:
            reader.begin(rows)
        readers = [reader for reader in readers if reader.has_more(rows)]
        if not readers:
            return
        upto = _reach(readers, rows)
        yield [part for reader in readers for part in reader.take(upto)]


def _reach(readers: list["_Reader"], rows: int) -> Place | None:
    """Return a place before which all is at hand: as much as a step joins, if there is so much.

    Where one source alone has the next places, `rows` of each would be little.
    """
    further = _nearest(readers, rows)
    while True:
        upto, rows = further, 2 * rows
        further = _nearest(readers, rows)
        if further == upto or sum(each.before(further) for each in readers) > _ROWS_AT_ONCE:
            return upto


def _nearest(readers: list["_Reader"], rows: int) -> Place | None:
    return min(filter(None, (reader.reach(rows) for reader in readers)), default=None)


class _Part:
    """Some rows of a partial."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._columns = [one_chunk(table["account"]), one_chunk(table["issue_id"])]

    def __len__(self) -> int:
        return len(self.table)

    def place(self, row: int) -> Place:
        account, issue = (column[row].as_py() for column in self._columns)
        return account, issue

    def before(self, upto: Place | None) -> int:
        """Return how many rows stand before a place, or how many there are."""
        if upto is None or self.place(-1) < upto:
            return len(self)
        return bisect_left(range(len(self)), upto, key=self.place)

    def cut(self, row: int) -> tuple["_Part", "_Part"]:
        """Return the first rows, and the others."""
        return _Part(self.table.slice(0, row)), _Part(self.table.slice(row))


class _Reader:
    """Reads one source, as far as is asked."""

    def __init__(self, source: Source, threads: Executor | None = None) -> None:
        self._source, self._threads = source, threads
        self._coming: Future[pa.Table | None] | None = None
        self._parts: deque[_Part] = deque()
        self._goes_on = True

    def begin(self, rows: int) -> None:
        """Let another thread read on, if `has_more` is going to."""
        if self._threads and self._lacks(rows):
            self._coming = self._threads.submit(next, self._source, None)

    def has_more(self, rows: int) -> bool:
        """Tell whether there is an engagement left, having more than `rows` at hand if there are.

        Two of them at least differ, unless there is no other one.
        """
        while self._lacks(rows):
            partial = self._coming.result() if self._coming else next(self._source, None)
            self._coming, self._goes_on = None, partial is not None
            if partial:
                self._parts.append(_Part(partial))
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
