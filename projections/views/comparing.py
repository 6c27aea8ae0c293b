"""Comparing the read model with the folds of all events, whole columns at a time."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa

from ledger.archive.columns import listed
from ledger.archive.memory import without_collecting
from ledger.store.decoding import stored_uuid
from projections.columnar import NO
from projections.policy import Adopted
from projections.views.columnar_rows import numbers_of
from projections.views.differences import Place, Row, first_difference, needless_row
from projections.views.partial_rows import rows_of
from projections.views.partials import folds_of
from projections.views.table_statements import COLUMNS

_ISSUE = COLUMNS.index("issue_id")
_TEXTS = ("issue_id", "linear_id")
_REALS = ("override", "score")


def difference(folded: pa.Table, kept: Iterator[Row], adopted: Adopted) -> str | None:
    """Return in a sentence where kept rows differ first from as many folded ones, if anywhere.

    `folded` are engagements as `somebodys` returns them, `kept` come as `kept_rows` does. A score
    may have been brought up to date since; it must hold for its own instant. No more of `kept` is
    read, unless they differ.
    """
    beside = list(islice(kept, len(folded)))
    if len(beside) == len(folded) and _are_equal(folded, beside, adopted):
        return None
    rows = (((each.account, each.row.issue_id), each.row) for each in rows_of(folded))
    return first_difference(rows, map(_placed, chain(beside, kept)), adopted)


def needless(kept: Iterator[Row]) -> str | None:
    """Return in a sentence that a row is left which nothing was folded to, if one is."""
    left = next(kept, None)
    return None if left is None else needless_row(left[1:])


def _placed(row: Row) -> tuple[Place, Row]:
    account, *kept = row
    return (str(stored_uuid(account)), kept[_ISSUE]), tuple(kept)


@without_collecting()
def _are_equal(folded: pa.Table, rows: Sequence[Row], adopted: Adopted) -> bool:
    if not rows:
        return True
    _, *columns = zip(*rows, strict=True)
    kept = dict(zip(COLUMNS, columns, strict=True))
    if any(listed(folded[name]) != list(kept[name]) for name in _TEXTS):
        return False
    try:
        numbers = {name: _numbers(name, kept[name]) for name in COLUMNS if name not in _TEXTS}
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False  # somebody put something else there
    expected = _expected(folded, numbers["scored_at"], adopted)
    return all(np.array_equal(numbers[name], expected[name]) for name in numbers)


def _expected(folded: pa.Table, kept_at: Any, adopted: Adopted) -> dict[str, Any]:  # noqa: ANN401 - arrays
    """The columns of numbers that the rows must have, as `values` of the read model says."""
    folds = folds_of(folded)
    numbers = numbers_of(folds, np.maximum(folds.scored_at, kept_at), adopted)
    return numbers | {"stream": folded["stream"].to_numpy()}


def _numbers(name: str, values: Sequence[Any]) -> Any:  # noqa: ANN401 - an array
    kind = pa.float64() if name in _REALS else pa.int64()
    return pa.array(values, kind).fill_null(NO).to_numpy(zero_copy_only=False)
