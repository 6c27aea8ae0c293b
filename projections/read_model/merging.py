"""Merging of sources of events and of partials, which are read side by side in steps."""

from collections.abc import Iterable, Iterator
from itertools import chain

import pyarrow as pa

from ledger.archive.columns import release_memory
from ledger.archive.sorted_merge import Reader, Source, steps
from projections.read_model.columnar_fold import joined, partial_of

_PLACE = ("account", "issue_id")

_ROWS_AT_ONCE = 65_536
"""About so many are joined in a step: more are joined faster, and need more memory."""

_ROWS_YIELDED = 16_384


def merged(events: Iterable[Source], partials: Iterable[Source] = ()) -> Iterator[pa.Table]:
    """Yield partials that have each engagement once, complete, by account and issue.

    None has more than 16,384 rows, which limits memory if rows are converted to objects. `events`
    are in the order of segments' files.
    """
    readers = [
        *(Reader(map(partial_of, each), _PLACE) for each in events),
        *(Reader(each, _PLACE) for each in partials),
    ]
    try:
        # None of these holds what it has given away: tables of a step are large.
        tables = chain.from_iterable(map(joined, steps(readers, _ROWS_AT_ONCE)))
        yield from chain.from_iterable(map(_pieces, tables))
    finally:
        release_memory()


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    for begin in range(0, len(table), _ROWS_YIELDED):
        yield table.slice(begin, _ROWS_YIELDED)
