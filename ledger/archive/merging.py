"""Merging neighbours into one segment, some rows of each at a time."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import pyarrow as pa

from ledger.archive.columns import FILE_SCHEMA, SORTED_BY, in_order, one_table
from ledger.archive.digests import Range, digests
from ledger.archive.folder import Archive, other_events_error
from ledger.archive.reading import events_by_account
from ledger.archive.stepping import Reader, Source, steps
from ledger.archive.versions import with_earlier
from ledger.segment import Segment, events_in

_ROWS_AT_ONCE = 131_072
"""About so many rows of all parts are brought into one order at once."""


def merge(
    archive: Archive,
    parts: Sequence[Segment],
    sealings: Mapping[Range, bytes],
    progress: Callable[[int], object],
) -> Segment:
    """Write the events of neighbours as one segment, and return it, as `Archive.publish` does.

    `sealings` are the ranges that were sealed one by one, and their digests: what was written says
    the same. A row group or two of each part is in memory, whatever its size. `progress` is told
    how many more events were written. Raises DamagedSegmentError where a part does not say what was
    sealed.
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
    """Return the digest of what all parts say, each of which must say what was sealed."""
    whole = parts[0].first_position, parts[-1].last_position
    found = digests(archive.columns(parts), [*(part.range for part in parts), whole])
    for part, digest in zip(parts, found, strict=False):
        if digest != part.digest:
            raise other_events_error(part, part.range)
    return found[-1]


def _sources(archive: Archive, parts: Sequence[Segment]) -> Iterator[Source]:
    """Yield what is read of each part, as one file says it that has all of them."""
    earlier: Counter[str] = Counter()
    for part in parts:
        yield with_earlier(archive.row_groups(part, FILE_SCHEMA.names), earlier.copy())
        earlier += events_by_account(archive, part)
