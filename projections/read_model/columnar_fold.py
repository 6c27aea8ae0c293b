"""The fold by columns: partial folds of many engagements, their joining, and their rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ledger.archive.columns import (
    coded,
    exactly,
    integers,
    listed,
    occurred_at,
    one_chunk,
    one_table,
    ranks,
    release_memory,
    uuids,
)
from ledger.archive.reading import effective_instants
from ledger.archive.sorted_merge import Reader, Source, steps
from ledger.errors import LedgerDamagedError
from ledger.events import DECISIONS, Corrections, EventRow
from projections.columnar import (
    NO,
    EventColumns,
    FoldColumns,
    Integers,
    fold,
    merge,
    scores,
    starts_of,
)
from projections.engagement import (
    COUNTS,
    DECISION_FIELDS,
    EXTREME_NAMES,
    LASTS,
    VALUE_NAMES,
    Engagement,
)
from projections.policy import Adopted
from projections.read_model.engagement_rows import COLUMNS, Stored
from projections.read_model.tables import engagements

# Partial folds: tables of engagements by account and issue, and their joining.
#
# A partial comes from some of the events: a row group of a segment, or rows of the hot store.

_BESIDE_NUMBERS = ("events", "id", "last_position", "scored_at")
NUMBERS = (*_BESIDE_NUMBERS, *(name for name in VALUE_NAMES if name != "linear_id"))
"""The columns of a partial apart from its texts: account, issue_id and linear_id."""

_AT_OF = {fields.value: fields.at for fields in DECISION_FIELDS}
"""The column of the instant that tells, for that of a decision, whether there is one."""

_TEXTS = ("account", "issue_id", "linear_id")

_HOT_NUMBERS = ("position", "occurred_at", "recorded_at", "code", "score")

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

    The fields of a row are account, issue, occurred_at, position, recorded_at, code, linear_id and
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
    code: Sequence[int],
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
            "code": pa.array(code, pa.int64()),
            "linear_id": coded(linear_id),
            "score": pa.array(score, pa.float64()).fill_null(0.0),
        }
    )


def partial_of_hot(accounts: pa.DictionaryArray, events: pa.Table, known: Corrections) -> pa.Table:
    """Return the partial of events that `hot_batch` made; `accounts` are theirs.

    Those of an engagement come by position.
    """
    position, at, recorded, code, score = (events[name].to_numpy() for name in _HOT_NUMBERS)
    if known:
        at, recorded = effective_instants(known, position, at, recorded)
    account, issue = ranks(pa.chunked_array([accounts])), ranks(events["issue_id"])
    order = np.lexsort((at, account * (issue.max() + 1) + issue))
    columns = EventColumns(position, code, at, recorded, ranks(events["linear_id"]), score)
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
    return [joined_anew(partials)]


def joined_anew(partials: Sequence[pa.Table]) -> pa.Table:
    """Join partials, in any order, into one that has each engagement once."""
    texts = one_table(each.select(_TEXTS) for each in partials)
    places = _places(texts)
    order = np.lexsort(places[::-1])
    starts = starts_of(*(each[order] for each in places))
    return _merged(partials, texts, order, starts)


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
    _, _, texts = padded.buffers()
    characters = np.frombuffer(texts, np.uint8)[: len(issues) * width]
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
    folds = merge(FoldColumns.of_names(shared | {"linear": linear}), begins)
    found = folds.by_name()
    for name, column in columns.items():
        column[several] = found[name]
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
    numbers = folds.by_name()
    return pa.table(columns | {name: numbers[name] for name in NUMBERS})


def folds_of(table: pa.Table) -> FoldColumns:
    """The numbers of a partial; the Linear ids are not ranked."""
    numbers = {name: table[name].to_numpy() for name in NUMBERS}
    return FoldColumns.of_names(numbers | {"linear": np.full(len(table), NO)})


def _linear_ids(linear: Integers, dictionary: pa.Array) -> pa.DictionaryArray:
    """The Linear ids for the ranks in `linear`."""
    in_order = dictionary.take(pc.sort_indices(dictionary))
    codes = pa.array(linear.astype(np.int32), mask=linear == NO)
    return pa.DictionaryArray.from_arrays(codes, in_order)


# Conversion between partials and rows of the read model or of the sealed engagements.

_BESIDE = ("account", "events", "stream", "issue_id", "id", "last_position", "scored_at")

SEALED = ("stream", "issue_id", "id", *VALUE_NAMES, "last_position", "scored_at")
"""The columns of `sealed_engagements`."""

Row = tuple[Any, ...]


class Folded(NamedTuple):
    """A row of the read model, its account, and the number of events it was folded from."""

    account: str
    events: int
    row: Stored


def stream_of(row: Row) -> int:
    """The stream of a row of sealed engagements."""
    stream, *_ = row
    return int(stream)


def place_of(row: Row) -> tuple[int, str]:
    """The stream and the issue of a row of sealed engagements."""
    stream, issue_id, *_ = row
    return stream, issue_id


def rows_of(table: pa.Table) -> Iterator[Folded]:
    """Convert the engagements from `without_forgotten`."""
    account, events, stream, issue, id_, last_position, scored_at = (
        _values(table, name) for name in _BESIDE
    )
    values = {name: _values(table, name) for name in VALUE_NAMES}
    counts, lasts = (zip(*map(values.pop, names), strict=True) for names in (COUNTS, LASTS))
    extremes = map(values.pop, EXTREME_NAMES)
    engagements_ = map(Engagement, counts, *extremes, lasts, *values.values())
    rows = map(Stored, id_, stream, issue, engagements_, last_position, scored_at)
    yield from map(Folded, account, events, rows)


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
        decided = {
            name: exactly(columns.pop(name), pa.float64()).fill_null(0.0).to_numpy()
            for name in _AT_OF
        }
        numbers = {
            name: exactly(values, pa.int64()).fill_null(NO).to_numpy()
            for name, values in columns.items()
        }
    except (pa.ArrowException, OverflowError) as error:
        raise LedgerDamagedError("a sealed engagement cannot be read") from error
    counted = {"events": np.zeros(len(rows), np.int64), "linear": ranks(pa.chunked_array([linear]))}
    folds = FoldColumns.of_names(numbers | decided | counted)
    return as_partial(coded(accounts), issue, linear, folds)


def _values(table: pa.Table, name: str) -> list[Any]:
    """The values of a column as objects, with None for null."""
    if name in _TEXTS:
        return listed(table[name])
    values = table[name].to_numpy()
    is_none = (table[_AT_OF[name]].to_numpy() if name in _AT_OF else values) == NO
    column = pa.array(values, mask=is_none) if is_none.any() else pa.array(values)
    objects: list[Any] = column.to_pylist()
    return objects


# Rows of a table of engagements, whole columns at a time.

ColumnarRow = Sequence[Any]
Columns = dict[str, NDArray[Any]]
Others = Mapping[str, Sequence[Any]]
Find = Callable[[int, str], ColumnarRow | None]

NULLABLE = frozenset(column.name for column in engagements.c if column.nullable)
_STORED = ("id", "last_position", *VALUE_NAMES)
"""The columns that `TableStatements.stored` finds."""


def numbers_of(folds: FoldColumns, scored_at: Integers, adopted: Adopted) -> Columns:
    """Return what a table of engagements has beside stream and texts, with -1 for null."""
    ruled = scores(folds, scored_at, adopted.policy)
    lasts, numbers = np.stack(folds.lasts), folds.by_name()
    last_at = lasts.max(axis=0)
    columns = {name: numbers[name] for name in COLUMNS if name in numbers}
    decided = {
        value: np.where(numbers[at] == NO, NO, numbers[value]) for value, at in _AT_OF.items()
    }
    return (
        columns
        | decided
        | {
            "last_at": last_at,
            "last_kind": np.where(last_at == NO, NO, len(lasts) - lasts[::-1].argmax(axis=0)),
            "band": ruled.band,
            "active_at": ruled.active_at,
            "score": ruled.score,
            "scored_at": scored_at,
            "policy_version": np.full(len(folds.id), adopted.version),
        }
    )


def rows_of_columns(others: Others, folds: FoldColumns, adopted: Adopted) -> list[ColumnarRow]:
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


def table_rows(table: pa.Table, adopted: Adopted) -> list[ColumnarRow]:
    """Return the rows of engagements as `folded_tables` yields them."""
    return rows_of_columns(_others(table), folds_of(table), adopted)


def merged_rows(
    table: pa.Table, find: Find, adopted: Adopted
) -> tuple[list[ColumnarRow], list[ColumnarRow]]:
    """Return what `fold_rows` does, of engagements that are folded already."""
    return _with_stored(_others(table), folds_of(table), find, adopted)


def fold_rows(
    events: Sequence[EventRow], find: Find, adopted: Adopted
) -> tuple[list[ColumnarRow], list[ColumnarRow]]:
    """Return the rows of the engagements of `events`: the new ones, and those that were stored.

    `find` finds what is stored of a stream and an issue. The events come by position, and none of
    them is in what is stored.
    """
    position, stream, topic, issue, kind, at, linear, score, recorded_at = zip(*events, strict=True)
    streams, issues, instants = np.array(stream), _Ranks(issue).of(issue), np.array(at)
    order = np.lexsort((instants, issues, streams))
    starts = starts_of(streams[order], issues[order])
    firsts = order[starts].tolist()
    linears = _Ranks(linear)
    columns = (
        np.array(position),
        np.array([DECISIONS.get(*each) for each in zip(topic, kind, strict=True)]),
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
) -> tuple[list[ColumnarRow], list[ColumnarRow]]:
    """Return the rows of engagements merged with what is stored of them: new ones, and others."""
    stored = list(map(find, others["stream"], others["issue_id"]))
    if not any(stored):
        return rows_of_columns(others, folds, adopted), []
    linear = others["linear_id"]
    linears = _Ranks([*linear, *(row[_STORED.index("linear_id")] for row in stored if row)])
    whole = _merged_rows(folds._replace(linear=linears.of(linear)), stored, linears)
    rows = rows_of_columns({**others, "linear_id": linears.at(whole.linear)}, whole, adopted)
    new = [row for row, before in zip(rows, stored, strict=True) if before is None]
    return new, [row for row, before in zip(rows, stored, strict=True) if before is not None]


def _merged_rows(
    folds: FoldColumns, stored: Sequence[ColumnarRow | None], linears: _Ranks
) -> FoldColumns:
    """Merge engagements with what is stored of them; instants of their scores count no more."""
    places = [number for number, row in enumerate(stored) if row is not None]
    found = dict(zip(_STORED, zip(*filter(None, stored), strict=True), strict=True))
    linear = linears.of(found.pop("linear_id"))
    before: Columns = {name: np.array([each or 0.0 for each in found.pop(name)]) for name in _AT_OF}
    before |= {name: _integers(values) for name, values in found.items()}
    before |= {"events": np.zeros(len(places), np.int64), "scored_at": np.full(len(places), NO)}
    before["linear"] = linear
    place = np.concatenate((np.arange(len(stored)), places))
    order = np.argsort(place, kind="stable")
    both = {
        name: np.concatenate((numbers, before[name]))[order]
        for name, numbers in folds.by_name().items()
    }
    return merge(FoldColumns.of_names(both), starts_of(place[order]))


def _integers(values: Iterable[int | None]) -> Integers:
    return np.array([NO if each is None else each for each in values], np.int64)


# Merging of sources of events and of partials, which are read side by side in steps.

_PLACE = ("account", "issue_id")

_ROWS_AT_ONCE = 65_536
"""About so many are joined in a step: more are joined faster, and need more memory."""

_ROWS_YIELDED = 16_384


def merged(events: Iterable[Source], partials: Iterable[Source] = ()) -> Iterator[pa.Table]:
    """Yield partials that have each engagement once, complete, by account and issue.

    None has more than 16,384 rows, which limits memory if rows are converted to objects. `events`
    are in the order of segments' files.
    """
    readers = [
        *(Reader(map(partial_of, each), _PLACE) for each in events),
        *(Reader(each, _PLACE) for each in partials),
    ]
    try:
        # None of these holds what it has given away: tables of a step are large.
        tables = chain.from_iterable(map(joined, steps(readers, _ROWS_AT_ONCE)))
        yield from chain.from_iterable(map(_pieces, tables))
    finally:
        release_memory()


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    for begin in range(0, len(table), _ROWS_YIELDED):
        yield table.slice(begin, _ROWS_YIELDED)
