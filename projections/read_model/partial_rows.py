"""Conversion between partials and rows of the read model or of the sealed engagements."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ledger.archive.columns import coded, exactly, listed, ranks
from ledger.errors import LedgerDamagedError
from projections.columnar import NO, FoldColumns
from projections.engagement import Engagement
from projections.read_model.columnar_fold import as_partial
from projections.read_model.stored import Stored

_TEXTS = ("account", "issue_id", "linear_id")
_BESIDE = ("account", "events", "stream", "issue_id", "id", "last_position", "scored_at")

FOLD = Engagement.__struct_fields__

SEALED = ("stream", "issue_id", "id", *FOLD, "last_position", "scored_at")
"""The columns of `sealed_engagements`."""

Row = tuple[Any, ...]


class Folded(NamedTuple):
    """A row of the read model, its account, and the number of events it was folded from."""

    account: str
    events: int
    row: Stored


def rows_of(table: pa.Table) -> Iterator[Folded]:
    """Convert the engagements from `somebodys`."""
    beside = [_values(table, name) for name in _BESIDE]
    fields = [_values(table, name) for name in FOLD]
    for account, events_, stream, issue, id_, last_position, scored_at, *fold_ in zip(
        *beside, *fields, strict=True
    ):
        row = Stored(id_, stream, issue, Engagement(*fold_), last_position, scored_at)
        yield Folded(account, events_, row)


def sealed_rows(table: pa.Table) -> list[Row]:
    """Convert the engagements of a partial with the column stream to rows of sealed engagements."""
    return list(zip(*(_values(table, name) for name in SEALED), strict=True))


def partial_of_sealed(accounts: Iterable[str | None], rows: Sequence[Row]) -> pa.Table:
    """The partial of rows of sealed engagements, which are sorted by account and issue.

    Raises LedgerDamagedError for values of other types.
    """
    columns: dict[str, Any] = dict(zip(SEALED, zip(*rows, strict=True), strict=True))
    del columns["stream"]
    try:
        issue, linear = coded(columns.pop("issue_id")), coded(columns.pop("linear_id"))
        override = exactly(columns.pop("override"), pa.float64()).fill_null(0.0).to_numpy()
        numbers = {
            name: exactly(values, pa.int64()).fill_null(NO).to_numpy()
            for name, values in columns.items()
        }
    except (pa.ArrowException, OverflowError) as error:
        raise LedgerDamagedError("a sealed engagement cannot be read") from error
    uncounted = np.zeros(len(rows), np.int64)
    ranked = ranks(pa.chunked_array([linear]))
    folds = FoldColumns(**numbers, events=uncounted, linear=ranked, override=override)
    return as_partial(coded(accounts), issue, linear, folds)


def _values(table: pa.Table, name: str) -> list[Any]:
    """The values of a column as objects, with None for null."""
    if name in _TEXTS:
        return listed(table[name])
    values = table[name].to_numpy()
    is_none = (table["override_at"].to_numpy() if name == "override" else values) == NO
    column = pa.array(values, mask=is_none) if is_none.any() else pa.array(values)
    objects: list[Any] = column.to_pylist()
    return objects
