"""Partial folds: tables of engagements by account and issue, and their joining.

A partial comes from some of the events: a row group of a segment, or rows of the hot store.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.archive.columns import (
    coded,
    integers,
    occurred_at,
    one_chunk,
    one_table,
    ranks,
    uuids,
)
from ledger.archive.reading import effective_instants
from ledger.events import Corrections
from projections.columnar import NO, EventColumns, FoldColumns, Integers, fold, merge, starts_of

NUMBERS = tuple(name for name in FoldColumns._fields if name != "linear")
"""The columns of a partial apart from its texts: account, issue_id and linear_id."""

_TEXTS = ("account", "issue_id", "linear_id")

_HOT_NUMBERS = ("position", "occurred_at", "recorded_at", "kind", "score")

NONE = Corrections()

_LARGEST = 2**63


def partial_of(events: pa.Table) -> pa.Table:
    """The partial of some events of a segment, in the order of its file."""
    at = occurred_at(events)
    columns = EventColumns(
        integers(events["position"]),
        integers(events["kind"]),
        at,
        at + integers(events["recorded_after"]),
        ranks(events["linear_id"]),
        events["score"].fill_null(0.0).to_numpy(),
    )
    account, issue, linear = (one_chunk(events[name]) for name in _TEXTS)
    return partial_of_columns(account, issue, linear, columns)


def partial_of_rows(rows: Sequence[Sequence[Any]], known: Corrections = NONE) -> pa.Table:
    """The partial of some events of the hot store, with their effective instants.

    The fields of a row are account, issue, occurred_at, position, recorded_at, kind, linear_id and
    score.
    """
    account, *said = zip(*rows, strict=True)
    events = pa.Table.from_batches([hot_batch(*said)])
    return partial_of_hot(coded(uuids(account)), events, known)


def hot_batch(  # noqa: PLR0913, PLR0917 - the columns of an event
    issue: Sequence[str],
    occurred: Sequence[int],
    position: Sequence[int],
    recorded: Sequence[int],
    kind: Sequence[int | None],
    linear_id: Sequence[str | None],
    score: Sequence[float | None],
) -> pa.RecordBatch:
    """The fields of some hot events that folds read, as columns."""
    return pa.record_batch(
        {
            "issue_id": coded(issue),
            "occurred_at": pa.array(occurred, pa.int64()),
            "position": pa.array(position, pa.int64()),
            "recorded_at": pa.array(recorded, pa.int64()),
            "kind": pa.array(kind, pa.int64()).fill_null(0),
            "linear_id": coded(linear_id),
            "score": pa.array(score, pa.float64()).fill_null(0.0),
        }
    )


def partial_of_hot(accounts: pa.DictionaryArray, events: pa.Table, known: Corrections) -> pa.Table:
    """Return the partial of events that `hot_batch` made; `accounts` are theirs.

    Those of an engagement come by position.
    """
    position, at, recorded, kind, score = (events[name].to_numpy() for name in _HOT_NUMBERS)
    if known:
        at, recorded = effective_instants(known, position, at, recorded)
    account, issue = ranks(pa.chunked_array([accounts])), ranks(events["issue_id"])
    order = np.lexsort((at, account * (issue.max() + 1) + issue))
    columns = EventColumns(position, kind, at, recorded, ranks(events["linear_id"]), score)
    issues, linear = (one_chunk(events[name]) for name in ("issue_id", "linear_id"))
    return partial_of_columns(
        accounts.take(pa.array(order)),
        issues.take(pa.array(order)),
        linear,
        EventColumns._make(each[order] for each in columns),
    )


def partial_of_columns(
    account: pa.DictionaryArray,
    issue: pa.DictionaryArray,
    linear: pa.DictionaryArray,
    events: EventColumns,
) -> pa.Table:
    """The partial of events that are sorted by account, issue, occurred_at and position.

    `events.linear` are ranks among all texts of `linear`.
    """
    starts = starts_of(account.indices.to_numpy(), issue.indices.to_numpy())
    firsts = pa.array(starts)
    return as_partial(account.take(firsts), issue.take(firsts), linear, fold(events, starts))


def joined(partials: Sequence[pa.Table]) -> Sequence[pa.Table]:
    """Join sorted partials into partials that have each engagement once, by account and issue.

    They are returned unchanged if their concatenation is sorted already.
    """
    if all(_place(one, -1) < _place(following, 0) for one, following in pairwise(partials)):
        return partials
    texts = one_table(each.select(_TEXTS) for each in partials)
    places = _places(texts)
    order = np.lexsort(places[::-1])
    starts = starts_of(*(each[order] for each in places))
    return [_merged(partials, texts, order, starts)]


def _place(partial: pa.Table, row: int) -> tuple[str, str]:
    """The account and the issue of a row."""
    return partial["account"][row].as_py(), partial["issue_id"][row].as_py()


def _places(table: pa.Table) -> list[Integers]:
    """Integer columns that sort as the places of a partial: one, if all issues fit in 64 bits.

    Each byte of an issue is a digit, whose base is the range of bytes at that index in all issues.
    """
    issues = one_chunk(table["issue_id"])
    width = pc.max(pc.binary_length(issues)).as_py()
    padded = pc.ascii_rpad(issues, width, padding="\0")
    characters = np.frombuffer(padded.buffers()[2], np.uint8)[: len(issues) * width]
    words, word = [], ranks(table["account"])
    room = int(word.max()) + 1
    for column in np.ascontiguousarray(characters.reshape(-1, width).T):
        least = column.min()
        base = int(column.max() - least) + 1
        if base == 1:
            continue
        if room * base > _LARGEST:
            words.append(word)
            word, room = np.zeros_like(word), 1
        word *= base
        word += column - least
        room *= base
    return [*words, word]


def _merged(
    partials: Sequence[pa.Table], texts: pa.Table, order: Integers, starts: Integers
) -> pa.Table:
    """Merge the rows of partials that have the same place, which are adjacent in `order`."""
    firsts, counts = order[starts], np.diff(starts, append=len(order))
    several = np.flatnonzero(counts > 1)
    counts = counts[several]
    begins = np.cumsum(counts) - counts
    rows = order[np.arange(counts.sum()) + np.repeat(starts[several] - begins, counts)]
    columns, shared = {}, {}
    for name in NUMBERS:
        column = np.concatenate([each[name].to_numpy() for each in partials])
        columns[name], shared[name] = column[firsts], column[rows]
    linear = ranks(texts["linear_id"].take(pa.array(rows)))
    folds = merge(FoldColumns(**shared, linear=linear), begins)
    for name, column in columns.items():
        column[several] = getattr(folds, name)
    row_of = np.empty(linear.max(initial=NO) + 2, np.int64)
    row_of[linear] = rows  # one more at the end, for null
    latest = firsts.copy()
    latest[several] = np.where(folds.linear == NO, firsts[several], row_of[folds.linear])
    return pa.table(
        {
            "account": texts["account"].take(pa.array(firsts)),
            "issue_id": texts["issue_id"].take(pa.array(firsts)),
            "linear_id": texts["linear_id"].take(pa.array(latest)),
        }
        | columns
    )


def as_partial(
    account: pa.DictionaryArray,
    issue: pa.DictionaryArray,
    linear: pa.DictionaryArray,
    folds: FoldColumns,
) -> pa.Table:
    """The partial of engagements; `folds.linear` are ranks among all texts of `linear`."""
    columns: dict[str, Any] = {"account": account, "issue_id": issue.cast(pa.string())}
    columns["linear_id"] = _linear_ids(folds.linear, linear.dictionary)
    columns |= {name: values for name, values in folds._asdict().items() if name in NUMBERS}
    return pa.table(columns)


def folds_of(table: pa.Table) -> FoldColumns:
    """The numbers of a partial; the Linear ids are not ranked."""
    numbers = {name: table[name].to_numpy() for name in NUMBERS}
    return FoldColumns(**numbers, linear=np.full(len(table), NO))


def _linear_ids(linear: Integers, dictionary: pa.Array) -> pa.DictionaryArray:
    """The Linear ids for the ranks in `linear`."""
    in_order = dictionary.take(pc.sort_indices(dictionary))
    codes = pa.array(linear.astype(np.int32), mask=linear == NO)
    return pa.DictionaryArray.from_arrays(codes, in_order)
