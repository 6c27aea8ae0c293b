"""Events of segments: at effective instants, as rows for folds, and as they were recorded."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import starmap
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.archive.columns import (
    LAST,
    SOUGHT,
    Integers,
    integers,
    occurred_at,
    one_chunk,
    ranks,
    recorded_at,
    timed,
)
from ledger.archive.segment_store import Archive
from ledger.commands import Kind
from ledger.events import (
    DECISIONS,
    TOPIC_OF_CODE,
    Corrections,
    EventRow,
    FoldedEvent,
    InteractionRecorded,
    decision_of,
)
from ledger.instants import DAY, Instant
from ledger.segment import Segment
from ledger.validation import IssueId

# Events of segments with their effective instants instead of the stored ones (R8).

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
    account, issue = (ranks(table[name]) for name in SOUGHT)
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


# Events of segments, as rows for folds and as domain events.

FOLDED_COLUMNS = (
    "account",
    "issue_id",
    "occurred_second",
    "occurred_microsecond",
    "position",
    "recorded_after",
    "kind",
    "linear_id",
    "score",
)
"""The columns that folds read."""


_SAID = ("account", "version", "issue_id", "kind", "linear_id", "score", "place", "commitment")


_EVENTS_AT_ONCE = 4_096
"""Rows that are converted to objects at a time."""


def event_rows(table: pa.Table, streams: Iterable[int]) -> Iterator[EventRow]:
    """Yield the rows for folds of a table's events, each with a given number as its stream."""
    codes = integers(table["kind"]).tolist()
    return map(
        EventRow,
        table["position"].to_pylist(),
        streams,
        map(TOPIC_OF_CODE.__getitem__, codes),
        table["issue_id"].to_pylist(),
        [code if code > 0 else None for code in codes],
        occurred_at(table).tolist(),
        table["linear_id"].to_pylist(),
        table["score"].to_pylist(),
        recorded_at(table).tolist(),
    )


def tables_by_account(archive: Archive, segment: Segment) -> Iterator[tuple[str, pa.Table]]:
    """Yield the columns that folds read of a segment's events, in tables of one account each."""
    for group in archive.row_groups(segment, FOLDED_COLUMNS):
        accounts = one_chunk(group["account"])
        starts = np.flatnonzero(np.diff(accounts.indices.to_numpy(), prepend=-1))
        for begin, end in zip(starts, [*starts[1:], len(group)], strict=True):
            yield accounts[begin].as_py(), group.slice(begin, end - begin)


def events_by_account(
    archive: Archive, segment: Segment, after: str = "", upto: str = LAST
) -> Counter[str]:
    """The number of events in a segment of each of some streams, by name."""
    found: Counter[str] = Counter()
    for group in archive.row_groups(segment, ["account"], after, upto):
        counts = pc.value_counts(one_chunk(group["account"])).to_pylist()
        found.update({each["values"]: each["counts"] for each in counts})
    return found


def events_in_time(table: pa.Table) -> Iterator[tuple[int, FoldedEvent]]:
    """Yield the events of a table and their positions, the earliest first (R8)."""
    order = np.lexsort((integers(table["position"]), occurred_at(table)))
    for begin in range(0, len(order), _EVENTS_AT_ONCE):
        yield from placed_events(table.take(pa.array(order[begin : begin + _EVENTS_AT_ONCE])))


def placed_events(table: pa.Table) -> Iterator[tuple[int, FoldedEvent]]:
    """Yield the events of a table, in its order, each with its position."""
    columns = (table[name].to_pylist() for name in _SAID)
    instants = recorded_at(table).tolist(), occurred_at(table).tolist()
    return starmap(_placed, zip(table["position"].to_pylist(), *instants, *columns, strict=True))


def _placed(position: int, recorded: int, occurred: int, *said: Any) -> tuple[int, FoldedEvent]:  # noqa: ANN401 - of any column
    account, version, issue_id, code, linear_id, score, place, commitment = said
    head = UUID(account), version, Instant(recorded), IssueId(issue_id)
    topic = TOPIC_OF_CODE[code or 0]
    if topic in DECISIONS:
        return position, decision_of(topic, (*head, Instant(occurred)), score)
    return position, InteractionRecorded(
        *head,
        Kind(code),
        Instant(occurred),
        linear_id,
        None if place is None else UUID(place),
        commitment,
    )
