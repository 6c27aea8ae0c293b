"""Partial folds: tables of engagements by account and issue, and the joining of many into one.

A partial comes from some of the events: a row group of a segment, or rows of the hot store. Sources
are partials one after the other, sorted by account and issue; they are read side by side, no
further than is needed, so memory holds a partial or two of each, whatever the history's size.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.archive.columns import (
    coded,
    integers,
    occurred_at,
    one_chunk,
    ranks,
    uuids,
)
from projections.columnar import NO, EventColumns, FoldColumns, Integers, fold, merge, starts_of

NUMBERS = tuple(name for name in FoldColumns._fields if name != "linear")
"""The columns of a partial beside its texts: account, issue_id and linear_id."""

Place = tuple[str, str]
"""An account and an issue: partials are sorted by both, as by their code points."""

_TEXTS = ("account", "issue_id", "linear_id")

_LARGEST = 2**63

_ROWS_AT_ONCE = 131_072
"""The most that are joined in a step: more are joined faster, and need more memory."""


def partial_of(events: pa.Table) -> pa.Table:
    """Return the partial of some events of a segment, in the order of its file."""
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
    return _partial(account, issue, linear, columns)


def partial_of_rows(rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return the partial of some events of the hot store, by account, issue and position.

    Of each: account, issue, occurred_at, position, recorded_at, kind, linear_id and score.
    """
    account, issue, occurred, position, recorded, kind, linear_id, score = zip(*rows, strict=True)
    accounts, issues, linear = coded(uuids(account)), coded(issue), coded(linear_id)
    at = np.array(occurred, np.int64)
    columns = EventColumns(
        np.array(position, np.int64),
        pa.array(kind, pa.int64()).fill_null(0).to_numpy(),
        at,
        np.array(recorded, np.int64),
        ranks(pa.chunked_array([linear])),
        pa.array(score, pa.float64()).fill_null(0.0).to_numpy(),
    )
    starts = starts_of(accounts.indices.to_numpy(), issues.indices.to_numpy())
    in_time = np.lexsort((at, np.searchsorted(starts, np.arange(len(at)), "right")))
    return _partial(accounts, issues, linear, EventColumns._make(each[in_time] for each in columns))


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
    places = _places(table)
    order = np.lexsort(places[::-1])
    starts = starts_of(*(each[order] for each in places))
    if len(starts) == len(order):
        return table.take(pa.array(order))
    return _merged(table, order, starts)


def _places(table: pa.Table) -> list[Integers]:
    """Numbers that sort as the places of a partial do: one, if the bytes of all issues fit in it.

    Each byte is a digit among those that are at its place in any of the issues.
    """
    issues = one_chunk(table["issue_id"])
    width = pc.max(pc.binary_length(issues)).as_py()
    padded = pc.ascii_rpad(issues, width, padding="\0")
    characters = np.frombuffer(padded.buffers()[2], np.uint8)[: len(issues) * width]
    words, word = [], ranks(table["account"])
    room = int(word.max()) + 1
    for column in np.ascontiguousarray(characters.reshape(-1, width).T):
        is_used = np.zeros(256, bool)
        is_used[column] = True
        base = int(np.count_nonzero(is_used))
        if base == 1:
            continue
        if room * base > _LARGEST:
            words.append(word)
            word, room = np.zeros_like(word), 1
        word *= base
        word += (np.cumsum(is_used) - 1)[column]
        room *= base
    return [*words, word]


def _merged(table: pa.Table, order: Integers, starts: Integers) -> pa.Table:
    """Merge the rows of a partial that have one place, which follow one another in `order`."""
    firsts, counts = order[starts], np.diff(starts, append=len(order))
    several = np.flatnonzero(counts > 1)
    counts = counts[several]
    begins = np.cumsum(counts) - counts
    rows = order[np.arange(counts.sum()) + np.repeat(starts[several] - begins, counts)]
    columns = {name: table[name].to_numpy() for name in NUMBERS}
    linear = ranks(pc.dictionary_encode(table["linear_id"].take(pa.array(rows))))
    folds = FoldColumns(**{name: each[rows] for name, each in columns.items()}, linear=linear)
    folds = merge(folds, begins)
    for name, column in columns.items():
        columns[name] = column[firsts]
        columns[name][several] = getattr(folds, name)
    row_of = np.empty(linear.max() + 2, np.int64)
    row_of[linear] = rows  # at the end for none, where all rows say so
    latest = firsts.copy()
    latest[several] = np.where(folds.linear == NO, firsts[several], row_of[folds.linear])
    texts = {name: table[name].take(pa.array(firsts)) for name in ("account", "issue_id")}
    texts["linear_id"] = table["linear_id"].take(pa.array(latest))
    return pa.table(texts | columns)


def merged(sources: Iterable[Iterator[pa.Table]]) -> Iterator[pa.Table]:
    """Yield partials that hold each engagement once, whole, by account and issue.

    The sources are read by whoever iterates, while another thread joins what was read before.
    """
    with ThreadPoolExecutor(1) as other:
        before: Future[pa.Table] | None = None
        for taken in _steps(sources):
            now = other.submit(joined, taken)
            if before is not None:
                yield before.result()
            before = now
        if before is not None:
            yield before.result()


def _steps(sources: Iterable[Iterator[pa.Table]]) -> Iterator[list[pa.Table]]:
    """Yield what there is of some engagements, all that there is of each."""
    readers = [_Reader(source) for source in sources]
    rows = _ROWS_AT_ONCE // (len(readers) + 1) + 1
    while readers := [reader for reader in readers if reader.has_more(rows)]:
        reached = [reader.reach(rows) for reader in readers]
        upto = min(filter(None, reached), default=None)
        yield [part for reader in readers if len(part := reader.take(upto))]


class _Reader:
    """Reads one source, as far as is asked."""

    def __init__(self, source: Iterator[pa.Table]) -> None:
        self._source = source
        self._at_hand: pa.Table = None
        self.goes_on = True

    def has_more(self, rows: int) -> bool:
        """Tell whether there is an engagement left, having more than `rows` at hand if there are.

        Two of them at least differ, unless there is no other one.
        """
        while self.goes_on and (len(self) <= rows or self._place(0) == self._place(-1)):
            partial = next(self._source, None)
            self.goes_on = partial is not None
            known = [each for each in (self._at_hand, partial) if each]
            both = pa.concat_tables(known) if known else None
            self._at_hand = both and both.unify_dictionaries().combine_chunks()
        return bool(self._at_hand)

    def __len__(self) -> int:
        return len(self._at_hand) if self._at_hand else 0

    def reach(self, rows: int) -> Place | None:
        """Return a place before which all is at hand, about so many rows; None if it ends there.

        What is yet to come may go on with the last place at hand.
        """
        if len(self) > rows and (place := self._place(rows)) > self._place(0):
            return place
        return self._place(-1) if self.goes_on else None

    def take(self, upto: Place | None) -> pa.Table:
        """Return what is at hand before a place, or all of it, and have that no more."""
        rows = range(len(self._at_hand))
        end = len(rows) if upto is None else bisect_left(rows, upto, key=self._place)
        taken, self._at_hand = self._at_hand.slice(0, end), self._at_hand.slice(end)
        return taken

    def _place(self, row: int) -> Place:
        account, issue = (self._at_hand[name].chunk(0)[row] for name in ("account", "issue_id"))
        return account.as_py(), issue.as_py()


def as_partial(
    account: pa.DictionaryArray,
    issue: pa.DictionaryArray,
    linear: pa.DictionaryArray,
    folds: FoldColumns,
) -> pa.Table:
    """Return the partial of engagements; `folds.linear` are ranks among all texts of `linear`."""
    columns: dict[str, Any] = {"account": account, "issue_id": issue.cast(pa.string())}
    columns["linear_id"] = _linear_ids(folds.linear, linear.dictionary)
    columns |= {name: values for name, values in folds._asdict().items() if name in NUMBERS}
    return pa.table(columns)


def _linear_ids(linear: Integers, dictionary: pa.Array) -> pa.Array:
    """The Linear ids of which `linear` has the ranks among all of the dictionary."""
    in_order = dictionary.take(pc.sort_indices(dictionary))
    return in_order.take(pa.array(linear, mask=linear == NO))
