"""Events of segments with their effective instants instead of the stored ones (R8)."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ledger.archive.columns import (
    SORTED_BY,
    Integers,
    integers,
    occurred_at,
    ranks,
    recorded_at,
    timed,
)
from ledger.archive.segment_store import LAST, Archive
from ledger.clock_corrections import Corrections
from ledger.instants import DAY
from ledger.segment import Segment

_NO_BOUND = np.iinfo(np.int64).max


def corrected(table: pa.Table, corrections: Corrections) -> pa.Table:
    """Return the events of a file, in its order, with their effective instants.

    An event whose instant changes moves to its new place in that order.
    """
    if not corrections or not len(table):
        return table
    occurred, recorded = occurred_at(table), recorded_at(table)
    positions = integers(table["position"])
    effective, recorded = effective_instants(corrections, positions, occurred, recorded)
    table = timed(table, effective, recorded)
    if np.array_equal(effective, occurred):
        return table
    account, issue = (ranks(table[name]) for name in SORTED_BY[:2])
    return table.take(pa.array(np.lexsort((positions, effective, issue, account))))


def effective_instants(
    corrections: Corrections, positions: Integers, occurred_at: Integers, recorded_at: Integers
) -> tuple[Integers, Integers]:
    """`Corrections.instants` for whole columns."""
    bounds = np.array([*corrections.bounds, _NO_BOUND], np.int64)
    following = np.searchsorted(np.array(corrections.positions, np.int64), positions, "right")
    recorded_at = np.minimum(recorded_at, bounds[following])
    return np.where(occurred_at > recorded_at + DAY, recorded_at, occurred_at), recorded_at


def corrected_groups(  # noqa: PLR0913, PLR0917 - what `Archive.row_groups` takes, and the corrections
    archive: Archive,
    corrections: Corrections,
    segment: Segment,
    columns: Sequence[str],
    after: str = "",
    upto: str = LAST,
) -> Iterator[pa.Table]:
    """`Archive.row_groups` with effective instants."""
    for table in archive.row_groups(segment, columns, after, upto):
        yield corrected(table, corrections)
