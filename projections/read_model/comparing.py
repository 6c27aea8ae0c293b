"""Comparison of the read model with the folds of all events, by columns."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ledger.archive.columns import exactly
from ledger.store.collecting import without_collecting
from ledger.store.statements import stored_uuid
from projections.columnar import NO
from projections.policy import Adopted
from projections.read_model.columnar_fold import folds_of
from projections.read_model.columnar_rows import NULLABLE, numbers_of
from projections.read_model.differences import Place, Row, first_difference, needless_row
from projections.read_model.engagement_rows import COLUMNS
from projections.read_model.partial_rows import rows_of

_ISSUE = COLUMNS.index("issue_id")
_TYPES = {name: pa.int64() for name in COLUMNS} | {
    "issue_id": pa.string(),
    "linear_id": pa.string(),
    "override": pa.float64(),
    "score": pa.float64(),
}
_TEXTS = [name for name in COLUMNS if _TYPES[name] == pa.string()]

_COMPARED_AT_ONCE = 4_096
"""Rows that stay in the processor's cache until they are columns."""


@without_collecting()
def difference(folded: pa.Table, kept: Iterator[Row], adopted: Adopted) -> str | None:
    """A sentence on the first difference of stored rows from as many folded ones, or None.

    `folded` are engagements from `somebodys`, `kept` rows from `kept_rows`. A score may have been
    brought up to date since; it must be right for its own instant. No more of `kept` is read,
    unless they differ.
    """
    for begin in range(0, len(folded), _COMPARED_AT_ONCE):
        part = folded.slice(begin, _COMPARED_AT_ONCE)
        rows = list(islice(kept, len(part)))
        if not _are_equal(part, rows, adopted):
            fresh = rows_of(folded.slice(begin))
            placed = (((each.account, each.row.issue_id), each.row) for each in fresh)
            return first_difference(placed, map(_placed, chain(rows, kept)), adopted)
    return None


def needless(kept: Iterator[Row]) -> str | None:
    """A sentence on a stored row without events, if there is one left."""
    left = next(kept, None)
    return None if left is None else needless_row(left[1:])


def _placed(row: Row) -> tuple[Place, Row]:
    account, *kept = row
    return (str(stored_uuid(account)), kept[_ISSUE]), tuple(kept)


def _are_equal(folded: pa.Table, rows: Sequence[Row], adopted: Adopted) -> bool:
    if len(rows) != len(folded):
        return False
    _, *values = zip(*rows, strict=True)
    columns = zip(COLUMNS, values, strict=True)
    try:
        kept = {name: exactly(each, _TYPES[name]) for name, each in columns}
    except (pa.ArrowException, OverflowError):
        return False
    are_texts_equal = all(
        kept[name].equals(folded[name].cast(pa.string()).chunk(0)) for name in _TEXTS
    )
    return are_texts_equal and _are_numbers_equal(folded, kept, adopted)


def _are_numbers_equal(folded: pa.Table, kept: dict[str, Any], adopted: Adopted) -> bool:
    """Compare with the columns of numbers that the rows must have."""
    folds, stream = folds_of(folded), folded["stream"].to_numpy()
    scored_at = np.maximum(folds.scored_at, _numbers(kept["scored_at"]))
    expected = {"stream": stream, **numbers_of(folds, scored_at, adopted)}
    return all(
        np.array_equal(_numbers(kept[name]), values)
        and kept[name].null_count == (name in NULLABLE and np.count_nonzero(values == NO))
        for name, values in expected.items()
    )


def _numbers(column: pa.Array) -> NDArray[Any]:
    numbers: NDArray[Any] = column.fill_null(NO).to_numpy(zero_copy_only=False)
    return numbers
