"""Partial folds: tables of engagements by account and issue, and the joining of many into one.

A partial comes from some of the events: a row group of a segment, or rows of the hot store. Sources
are partials one after the other, sorted by account and issue; they are read side by side, no
further than is needed, so memory holds a partial or two of each, whatever the history's size.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ledger.archive.columns import (
    coded,
    integers,
    occurred_at,
    one_chunk,
    ranks,
    recorded_at,
    uuids,
)
from projections.columnar import NO, EventColumns, FoldColumns, Integers, fold, merge, starts_of

NUMBERS = tuple(name for name in FoldColumns._fields if name != "linear")
"""The columns of a partial beside its texts: account, issue_id and linear_id."""

Place = tuple[str, str]
"""An account and an issue: partials are sorted by both, as by their code points."""

_TEXTS = ("account", "issue_id", "linear_id")


def partial_of(events: pa.Table) -> pa.Table:
    """Return the partial of some events of a segment; each engagement's stand side by side."""
    columns = EventColumns(
        integers(events["position"]),
        integers(events["kind"]),
        occurred_at(events),
        recorded_at(events),
        ranks(events["linear_id"]),
        events["score"].fill_null(0.0).to_numpy(),
    )
    account, issue, linear = (one_chunk(events[name]) for name in _TEXTS)
    return _partial(account, issue, linear, columns)


def partial_of_rows(rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return the partial of some events of the hot store; each engagement's stand side by side.

    Of each: account, issue, occurred_at, position, recorded_at, kind, linear_id and score.
    """
    account, issue, occurred, position, recorded, kind, linear_id, score = zip(*rows, strict=True)
    linear = coded(linear_id)
    columns = EventColumns(
        np.array(position, np.int64),
        pa.array(kind, pa.int64()).fill_null(0).to_numpy(),
        np.array(occurred, np.int64),
        np.array(recorded, np.int64),
        ranks(pa.chunked_array([linear])),
        pa.array(score, pa.float64()).fill_null(0.0).to_numpy(),
    )
    return _partial(coded(uuids(account)), coded(issue), linear, columns)


def _partial(
    account: pa.DictionaryArray,
    issue: pa.DictionaryArray,
    linear: pa.DictionaryArray,
    events: EventColumns,
) -> pa.Table:
    starts = starts_of(account.indices.to_numpy(), issue.indices.to_numpy())
    firsts = pa.array(starts)
    return as_partial(account.take(firsts), issue.take(firsts), linear, fold(events, starts))


def joined(partials: Iterable[pa.Table]) -> pa.Table:
    """Return one partial for several, each of which has its engagements by account and issue."""
    table = pa.concat_tables(partials).unify_dictionaries().combine_chunks()
    places = ranks(table["account"]), ranks(table["issue_id"])
    order = np.lexsort(places[::-1])
    starts = starts_of(*(each[order] for each in places))
    columns = {name: table[name].to_numpy()[order] for name in NUMBERS}
    folds = FoldColumns(**columns, linear=ranks(table["linear_id"])[order])
    firsts = pa.array(order[starts])
    account, issue, linear = (one_chunk(table[name]) for name in _TEXTS)
    return as_partial(account.take(firsts), issue.take(firsts), linear, merge(folds, starts))


def merged(sources: Iterable[Iterator[pa.Table]]) -> Iterator[pa.Table]:
    """Yield partials that hold each engagement once, whole, by account and issue."""
    readers = [_Reader(source) for source in sources]
    while readers := [reader for reader in readers if reader.has_more()]:
        # Whatever a source has yet to come is not before the last place that it is at.
        upto = min((reader.last() for reader in readers if reader.goes_on), default=None)
        taken = [part for reader in readers if len(part := reader.take(upto))]
        yield joined(taken)


class _Reader:
    """Reads one source, as far as is asked."""

    def __init__(self, source: Iterator[pa.Table]) -> None:
        self._source = source
        self._at_hand: pa.Table = None
        self.goes_on = True

    def has_more(self) -> bool:
        """Tell whether there is an engagement left, having two at hand unless it is the last."""
        while self.goes_on and (not self._at_hand or self._place(0) == self.last()):
            partial = next(self._source, None)
            self.goes_on = partial is not None
            known = [each for each in (self._at_hand, partial) if each]
            self._at_hand = pa.concat_tables(known) if known else None
        return bool(self._at_hand)

    def last(self) -> Place:
        """Return the last place at hand; what is yet to come may go on with it."""
        return self._place(len(self._at_hand) - 1)

    def take(self, upto: Place | None) -> pa.Table:
        """Return what is at hand before a place, or all of it, and have that no more."""
        rows = range(len(self._at_hand))
        end = len(rows) if upto is None else bisect_left(rows, upto, key=self._place)
        taken, self._at_hand = self._at_hand.slice(0, end), self._at_hand.slice(end)
        return taken

    def _place(self, row: int) -> Place:
        account, issue = (self._at_hand[name][row].as_py() for name in ("account", "issue_id"))
        return account, issue


def as_partial(
    account: pa.DictionaryArray,
    issue: pa.DictionaryArray,
    linear: pa.DictionaryArray,
    folds: FoldColumns,
) -> pa.Table:
    """Return the partial of engagements; `folds.linear` are ranks among all texts of `linear`."""
    columns: dict[str, Any] = {"account": account, "issue_id": issue}
    columns["linear_id"] = _linear_ids(folds.linear, linear.dictionary)
    columns |= {name: values for name, values in folds._asdict().items() if name in NUMBERS}
    return pa.table(columns)


def _linear_ids(linear: Integers, dictionary: pa.Array) -> pa.DictionaryArray:
    """The Linear ids of which `linear` has the ranks among all of the dictionary."""
    codes = pa.array(linear, pa.int32(), mask=linear == NO)
    texts = pa.array(sorted(dictionary.to_pylist()), pa.string())
    return pa.DictionaryArray.from_arrays(codes, texts)
