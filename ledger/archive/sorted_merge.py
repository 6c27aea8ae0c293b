"""The sorted merge: tables read side by side, and neighbouring segments made one."""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa

from ledger.archive.columns import (
    END,
    FILE_SCHEMA,
    LAST,
    SORTED_BY,
    STATE,
    in_order,
    one_chunk,
    one_table,
    with_earlier,
)
from ledger.archive.digests import Range, digests
from ledger.archive.reading import events_by_account
from ledger.archive.segment_store import Archive, other_events_error
from ledger.segment import Segment, events_in

# K-way merge of sorted tables: several sources are read side by side, in steps.
#
# A source is a sequence of tables that is sorted by some columns. Each is read only as far as
# needed, so memory holds a few tables of each source, regardless of the history's size.

Place = tuple[Any, ...]
"""The values by which rows are sorted; texts as by their code points."""

Source = Iterator[pa.Table]

_FEW = 4
"""A step with less than this fraction of its rows is extended, if possible."""


def steps(readers: Sequence["Reader"], rows_at_once: int) -> Iterator[list[pa.Table]]:
    """Yield the rows of the sources in steps, each with all rows of consecutive places (sort keys).

    A step has about `rows_at_once` rows in all: a list of tables of each source, sorted within the
    source.
    """
    rows = rows_at_once // (len(readers) + 1) + 1
    while True:
        readers = [reader for reader in readers if reader.has_more(rows)]
        if not readers:
            return
        upto = _reach(readers, rows, rows_at_once)
        yield [part for reader in readers for part in reader.take(upto)]


def _reach(readers: Sequence["Reader"], rows: int, rows_at_once: int) -> Place | None:
    """Return a place before which all rows are loaded: enough for a step, if there are as many.

    If only one source has the next places, `rows` of each source would be too few.
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
        """The number of rows before a place, or of all rows if it is None."""
        if upto not in self._before:
            self._before[upto] = self._search(upto)
        return self._before[upto]

    def _search(self, upto: Place | None) -> int:
        if upto is None or self.place(-1) < upto:
            return len(self)
        return bisect_left(range(len(self)), upto, key=self.place)

    def cut(self, row: int) -> tuple["_Part", "_Part"]:
        """Split into the first rows and the others."""
        first, others = self.table.slice(0, row), self.table.slice(row)
        return _Part(first, self._sorted_by), _Part(others, self._sorted_by)


class _Column:
    """A column whose values are read one by one, without copying the dictionary of texts."""

    def __init__(self, column: pa.Array) -> None:
        self._codes, self._values = None, column
        if isinstance(column, pa.DictionaryArray):
            self._codes, self._values = column.indices.to_numpy(), column.dictionary

    def __getitem__(self, row: int) -> Any:  # noqa: ANN401 - of any column
        return self._values[row if self._codes is None else self._codes.item(row)].as_py()


class Reader:
    """Reads one source, only as far as it is asked to."""

    def __init__(self, source: Source, sorted_by: Sequence[str]) -> None:
        """Read tables that are sorted by these columns."""
        self._source, self._sorted_by = source, sorted_by
        self._parts: deque[_Part] = deque()
        self._goes_on = True

    def has_more(self, rows: int) -> bool:
        """Load more than `rows` rows if there are as many; return whether any row is left.

        At least two of the loaded rows have different places, unless there is only one place left.
        """
        while self._lacks(rows):
            table = next(self._source, None)
            self._goes_on = table is not None
            if table:
                self._parts.append(_Part(table, self._sorted_by))
        return bool(self._parts)

    def reach(self, rows: int) -> Place | None:
        """Return a place before which about `rows` rows are loaded; None if the source ends there.

        Rows that are not loaded yet may continue the last loaded place.
        """
        if len(self) > rows and (place := self._place(rows)) > self._first:
            return place
        return self._last if self._goes_on else None

    def take(self, upto: Place | None) -> Iterator[pa.Table]:
        """Yield the loaded rows before a place, or all of them, and drop them."""
        while self._parts and (row := self._parts[0].before(upto)):
            part = self._parts.popleft()
            if row < len(part):
                part, rest = part.cut(row)
                self._parts.appendleft(rest)
            yield part.table

    def before(self, upto: Place | None) -> int:
        """The number of loaded rows before a place, or of all loaded rows if it is None."""
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


# Merging of adjacent segments into one, a few rows of each at a time.

_ROWS_AT_ONCE = 131_072
"""Rows of all parts that are sorted at once, approximately."""

_OBSERVATIONS_AT_ONCE = 16_384
"""The same for observations, which are larger."""


def merge(
    archive: Archive,
    parts: Sequence[Segment],
    sealings: Mapping[Range, bytes],
    progress: Callable[[int], object],
) -> Segment:
    """Write the events of adjacent segments as one segment, and return it, as `Archive.publish`
    does.

    `sealings` are the ranges that were sealed one by one, and their digests, with which the file is
    compared. Memory holds a row group or two of each part. `progress` is called with numbers of
    events written. Raises DamagedSegmentError if a part does not contain what was sealed.
    """
    planned = Segment(
        first_position=parts[0].first_position,
        last_position=parts[-1].last_position,
        events=events_in(parts),
        first_recorded_at=min(part.first_recorded_at for part in parts),
        last_recorded_at=max(part.last_recorded_at for part in parts),
        digest=_digest(archive, parts),
        size_bytes=0,
        blocks=b"",
    )
    in_file = chain.from_iterable(map(in_order, _told(progress, _merged(archive, parts))))
    has_states = any(map(archive.has_states, parts))
    return archive.publish_in_order(planned, in_file, sealings, has_states=has_states)


def _merged(archive: Archive, parts: Sequence[Segment]) -> Iterator[pa.Table]:
    """Yield the events of accounts, and then the observations, some of all parts at a time."""
    spans = (("", LAST, _ROWS_AT_ONCE), (LAST, END, _OBSERVATIONS_AT_ONCE))
    for after, upto, rows_at_once in spans:
        readers = [Reader(each, SORTED_BY) for each in _sources(archive, parts, after, upto)]
        for taken in steps(readers, rows_at_once):
            yield one_table(taken)


def _told(progress: Callable[[int], object], tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    for table in tables:
        yield table
        progress(len(table))


def _digest(archive: Archive, parts: Sequence[Segment]) -> bytes:
    """The digest of all parts together; each must contain what was sealed."""
    whole = parts[0].first_position, parts[-1].last_position
    found = digests(archive.columns(parts), [*(part.range for part in parts), whole])
    for part, digest in zip(parts, found, strict=False):
        if digest != part.digest:
            raise other_events_error(part, part.range)
    return found[-1]


def _sources(archive: Archive, parts: Sequence[Segment], after: str, upto: str) -> Iterator[Source]:
    """Yield the tables of each part, with versions as in one file that has all parts."""
    names = [*FILE_SCHEMA.names, STATE.name] if upto > LAST else FILE_SCHEMA.names
    earlier: Counter[str] = Counter()
    for part in parts:
        yield with_earlier(archive.row_groups(part, names, after, upto), earlier.copy())
        earlier += events_by_account(archive, part, after, upto)
