"""Partials as rows of the read model, and back."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ledger.archive.columns import coded, ranks, uuids
from projections.columnar import NO, FoldColumns
from projections.engagement import Engagement
from projections.views.partials import NUMBERS, as_partial
from projections.views.stored import Stored

_BESIDE = ("id", "last_position", "scored_at")


class Folded(NamedTuple):
    """A row of the read model, whose it is, and how many events it was folded from."""

    account: str
    events: int
    row: Stored


def rows_of(table: pa.Table) -> Iterator[Folded]:
    """Yield the engagements that `somebodys` returned."""
    names = ("account", "issue_id", "linear_id", "stream", *NUMBERS)
    columns = {name: table[name].to_pylist() for name in names}
    overridden = zip(columns["override_at"], columns["override"], strict=True)
    columns["override"] = [None if at == NO else value for at, value in overridden]
    fields = [columns[name] for name in Engagement.__struct_fields__]
    beside = [columns[name] for name in ("account", "events", "stream", "issue_id", *_BESIDE)]
    for account, events_, stream, issue, id_, last_position, scored_at, *fold_ in zip(
        *beside, *fields, strict=True
    ):
        engagement = Engagement(*map(_some, fold_))
        row = Stored(id_, stream, issue, engagement, _some(last_position), scored_at)
        yield Folded(account, events_, row)


def partial_of_folds(folds: Sequence[tuple[bytes, Stored]]) -> pa.Table:
    """Return the partial of rows that come by account, whose UUID is beside each, and issue."""
    fields: dict[str, Any] = {
        name: [getattr(row.engagement, name) for _, row in folds]
        for name in Engagement.__struct_fields__
    }
    fields |= {name: [getattr(row, name) for _, row in folds] for name in _BESIDE}
    account = coded(uuids(account for account, _ in folds))
    issue, linear = coded(row.issue_id for _, row in folds), coded(fields.pop("linear_id"))
    override = pa.array(fields.pop("override"), pa.float64()).fill_null(0.0).to_numpy()
    numbers = {
        name: pa.array(values, pa.int64()).fill_null(NO).to_numpy()
        for name, values in fields.items()
    }
    uncounted = np.zeros(len(folds), np.int64)
    ranked = ranks(pa.chunked_array([linear]))
    columns = FoldColumns(**numbers, events=uncounted, linear=ranked, override=override)
    return as_partial(account, issue, linear, columns)


def _some(value: Any) -> Any:  # noqa: ANN401 - of any column
    return None if value == NO else value
