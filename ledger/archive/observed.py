"""Observations in segments: of one issue, of all by position, or of all by issue."""

from collections.abc import Iterator
from functools import lru_cache

import pyarrow as pa

from ledger.archive.columns import END, LAST, STATE, issue_stream
from ledger.archive.digests import Range
from ledger.archive.segment_store import Archive
from ledger.segment import Segment

COLUMNS = ("account", "position", "version", STATE.name)

_AT_ONCE = 8_192
"""Observations in memory at a time."""


def observed_of(archive: Archive, segment: Segment, uuid: str) -> Iterator[pa.Table]:
    """Yield the observations of one issue in a segment, given the UUID of its stream."""
    return archive.account_groups(segment, issue_stream(uuid), columns=COLUMNS)


def observed(archive: Archive, segment: Segment) -> Iterator[pa.Table]:
    """Yield all observations of a segment, by issue, without their versions."""
    names = [name for name in COLUMNS if name != "version"]
    return archive.row_groups(segment, names, LAST, END)


def observed_between(
    archive: Archive, segment: Segment, first: int, last: int
) -> Iterator[pa.Table]:
    """Yield the observations at the positions `first` to `last` of a segment, by position."""
    for begin, end in ranges(archive, segment):
        if first <= end and begin <= last:
            yield _observed_in(archive, segment, begin, end)


@lru_cache(maxsize=1)  # reading page by page asks for the same ranges repeatedly
def ranges(archive: Archive, segment: Segment) -> list[Range]:
    """The ranges of positions with so many observations that they are read at once."""
    positions = archive.positions(segment, LAST, END).tolist()
    parts = (positions[begin : begin + _AT_ONCE] for begin in range(0, len(positions), _AT_ONCE))
    return [(min(part), max(part)) for part in parts]


@lru_cache(maxsize=1)
def _observed_in(archive: Archive, segment: Segment, first: int, last: int) -> pa.Table:
    return archive.read_positions(segment, first, last, LAST, END)
