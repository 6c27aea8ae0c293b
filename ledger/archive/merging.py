"""Merging of adjacent segments into one, a few rows of each at a time."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import pyarrow as pa

from ledger.archive.columns import FILE_SCHEMA, SORTED_BY, in_order, one_table
from ledger.archive.digests import Range, digests
from ledger.archive.reading import events_by_account
from ledger.archive.segment_store import Archive, other_events_error
from ledger.archive.sorted_merge import Reader, Source, steps
from ledger.archive.versions import with_earlier
from ledger.segment import Segment, events_in

_ROWS_AT_ONCE = 131_072
"""Rows of all parts that are sorted at once, approximately."""


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
    readers = [Reader(each, SORTED_BY) for each in _sources(archive, parts)]
    tables = _told(progress, (one_table(taken) for taken in steps(readers, _ROWS_AT_ONCE)))
    in_file = chain.from_iterable(map(in_order, tables))
    return archive.publish_in_order(planned, in_file, sealings)


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


def _sources(archive: Archive, parts: Sequence[Segment]) -> Iterator[Source]:
    """Yield the tables of each part, with versions as in one file that has all parts."""
    earlier: Counter[str] = Counter()
    for part in parts:
        yield with_earlier(archive.row_groups(part, FILE_SCHEMA.names), earlier.copy())
        earlier += events_by_account(archive, part)
