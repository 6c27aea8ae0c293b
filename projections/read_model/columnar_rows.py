"""Rows of a table of engagements, whole columns at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ledger.events import EventRow
from projections.columnar import NO, EventColumns, FoldColumns, Integers, fold, merge, starts_of
from projections.columnar_score import scores
from projections.engagement import Engagement
from projections.policy import Adopted
from projections.read_model.columnar_fold import folds_of
from projections.read_model.engagement_rows import COLUMNS
from projections.read_model.tables import engagements

Row = Sequence[Any]
Columns = dict[str, NDArray[Any]]
Others = Mapping[str, Sequence[Any]]
Find = Callable[[int, str], Row | None]

NULLABLE = frozenset(column.name for column in engagements.c if column.nullable)
_STORED = ("id", "last_position", *Engagement.__struct_fields__)
"""The columns that `TableStatements.stored` finds."""
_NO_NUMBERS = {"linear_id", "override"}


def numbers_of(folds: FoldColumns, scored_at: Integers, adopted: Adopted) -> Columns:
    """Return what a table of engagements has beside stream and texts, with -1 for null."""
    ruled = scores(folds, scored_at, adopted.policy)
    lasts = np.stack((folds.mentioned_at, folds.viewed_at, folds.queried_at))
    columns = {name: getattr(folds, name) for name in COLUMNS if name in FoldColumns._fields}
    return columns | {
        "override": np.where(folds.override_at == NO, NO, folds.override),
        "last_at": lasts.max(axis=0),
        "last_kind": len(lasts) - lasts[::-1].argmax(axis=0),
        "band": ruled.band,
        "active_at": ruled.active_at,
        "score": ruled.score,
        "scored_at": scored_at,
        "policy_version": np.full(len(folds.id), adopted.version),
    }


def rows_of(others: Others, folds: FoldColumns, adopted: Adopted) -> list[Row]:
    """Return whole rows; each score is that at the instant of the engagement's last event.

    `others` are the columns stream, issue_id and linear_id.
    """
    columns: dict[str, Sequence[Any]] = dict(others)
    for name, numbers in numbers_of(folds, folds.scored_at, adopted).items():
        values = numbers.tolist()
        columns[name] = (
            [None if each == NO else each for each in values] if name in NULLABLE else values
        )
    return list(zip(*(columns[name] for name in COLUMNS), strict=True))


def table_rows(table: pa.Table, adopted: Adopted) -> list[Row]:
    """Return the rows of engagements as `folded_tables` yields them."""
    return rows_of(_others(table), folds_of(table), adopted)


def merged_rows(table: pa.Table, find: Find, adopted: Adopted) -> tuple[list[Row], list[Row]]:
    """Return what `fold_rows` does, of engagements that are folded already."""
    return _with_stored(_others(table), folds_of(table), find, adopted)


def fold_rows(
    events: Sequence[EventRow], find: Find, adopted: Adopted
) -> tuple[list[Row], list[Row]]:
    """Return the rows of the engagements of `events`: the new ones, and those that were stored.

    `find` finds what is stored of a stream and an issue. The events come by position, and none of
    them is in what is stored.
    """
    position, stream, issue, kind, at, linear, score, recorded_at = zip(*events, strict=True)
    streams, issues, instants = np.array(stream), _Ranks(issue).of(issue), np.array(at)
    order = np.lexsort((instants, issues, streams))
    starts = starts_of(streams[order], issues[order])
    firsts = order[starts].tolist()
    linears = _Ranks(linear)
    columns = (
        np.array(position),
        np.array([each or 0 for each in kind]),
        instants,
        np.array(recorded_at),
        linears.of(linear),
        np.array([each or 0.0 for each in score]),
    )
    folds = fold(EventColumns._make(each[order] for each in columns), starts)
    others: Others = {
        "stream": [stream[row] for row in firsts],
        "issue_id": [issue[row] for row in firsts],
        "linear_id": linears.at(folds.linear),
    }
    return _with_stored(others, folds, find, adopted)


def _others(table: pa.Table) -> Others:
    return {name: table[name].to_pylist() for name in ("stream", "issue_id", "linear_id")}


class _Ranks:
    """Texts as numbers that sort as they do; -1 stands for none."""

    def __init__(self, texts: Iterable[str | None]) -> None:
        self._texts = sorted({each for each in texts if each is not None})
        self._ranks: dict[str | None, int] = {text: rank for rank, text in enumerate(self._texts)}

    def of(self, texts: Iterable[str | None]) -> Integers:
        return np.array([self._ranks.get(each, NO) for each in texts], np.int64)

    def at(self, ranks: Integers) -> list[str | None]:
        return [None if each == NO else self._texts[each] for each in ranks.tolist()]


def _with_stored(
    others: Others, folds: FoldColumns, find: Find, adopted: Adopted
) -> tuple[list[Row], list[Row]]:
    """Return the rows of engagements merged with what is stored of them: new ones, and others."""
    stored = list(map(find, others["stream"], others["issue_id"]))
    if not any(stored):
        return rows_of(others, folds, adopted), []
    linear = others["linear_id"]
    linears = _Ranks([*linear, *(row[_STORED.index("linear_id")] for row in stored if row)])
    whole = _merged(folds._replace(linear=linears.of(linear)), stored, linears)
    rows = rows_of({**others, "linear_id": linears.at(whole.linear)}, whole, adopted)
    new = [row for row, before in zip(rows, stored, strict=True) if before is None]
    return new, [row for row, before in zip(rows, stored, strict=True) if before is not None]


def _merged(folds: FoldColumns, stored: Sequence[Row | None], linears: _Ranks) -> FoldColumns:
    """Merge engagements with what is stored of them; instants of their scores count no more."""
    places = [number for number, row in enumerate(stored) if row is not None]
    found = dict(zip(_STORED, zip(*filter(None, stored), strict=True), strict=True))
    before = FoldColumns(
        **{name: _integers(found[name]) for name in _STORED if name not in _NO_NUMBERS},
        events=np.zeros(len(places), np.int64),
        scored_at=np.full(len(places), NO),
        linear=linears.of(found["linear_id"]),
        override=np.array([each or 0.0 for each in found["override"]]),
    )
    place = np.concatenate((np.arange(len(stored)), places))
    order = np.argsort(place, kind="stable")
    both = FoldColumns._make(
        np.concatenate(pair)[order] for pair in zip(folds, before, strict=True)
    )
    return merge(both, starts_of(place[order]))


def _integers(values: Iterable[int | None]) -> Integers:
    return np.array([NO if each is None else each for each in values], np.int64)
