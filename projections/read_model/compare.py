"""Comparing what is derived with the events it is derived from, down to the first difference."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from ledger.archive.columns import exactly
from ledger.archive.segment_store import Archive
from ledger.store.collecting import without_collecting
from ledger.store.database import Database
from ledger.store.statements import stored_uuid
from ledger.store.tables import head
from ledger.verification.findings import Finding, derived, of_replay
from ledger.verification.row_checks import count_unverified
from ledger.verification.truth import (
    UNREADABLE,
    count,
    file_findings,
    found,
    snapshot,
    truth_findings,
)
from projections.columnar import NO
from projections.engagement import DECISION_FIELDS, VALUE_NAMES, engagement_of
from projections.policy import Adopted
from projections.read_model import keys_of_issues, latest_observations, moved_issues, snapshots
from projections.read_model.adopted_policies import Policies
from projections.read_model.catalog import (
    VIEW,
    Watermark,
    besides,
    live,
    missing,
    statements_of,
)
from projections.read_model.columnar_fold import NULLABLE, folds_of, numbers_of, rows_of
from projections.read_model.definitions import (
    difference_of_view,
    different_replays,
    different_tables,
)
from projections.read_model.engagement_rows import COLUMNS, Stored
from projections.read_model.full_fold import AFTER_ALL, BEFORE_ALL, folded_tables, kept_rows
from projections.read_model.full_fold import count as count_folded
from projections.read_model.model import values

# The first difference of a read model from the folds of its events.

Row = Sequence[Any]
"""A whole row of a table of engagements."""

Place = tuple[Any, str]
"""The stream and the issue of an engagement, by which both sides are sorted."""


def _named(row: Row) -> dict[str, Any]:
    return dict(zip(COLUMNS, row, strict=True))


def first_difference(
    fresh: Iterable[tuple[Place, Stored]], kept: Iterable[tuple[Place, Row]], adopted: Adopted
) -> str | None:
    """A sentence on the first difference of the rows `kept` from the `fresh` folds, or None.

    Both are sorted by their places. A score may have been brought up to date since it was folded;
    it must be right for its own instant. Both are only read up to the difference.
    """
    rows = iter(kept)
    for each in fresh:
        difference = _difference(each, next(rows, None), adopted)
        if difference is not None:
            return difference
    for _, left in rows:
        return needless_row(left)
    return None


def first_difference_of_rows(
    rows: Sequence[Row], kept: Sequence[Row], adopted: Adopted
) -> str | None:
    """A sentence on the first difference of the rows `kept` from those of another read model, or
    None.

    Scores were brought up to date at different instants; each must be right for its own.
    """
    folds = [(place_of(row), _stored(row)) for row in rows]
    return first_difference(folds, _placed(kept), adopted) or first_difference(
        folds, _placed(rows), adopted
    )


def place_of(row: Row) -> tuple[int, str]:
    """The sort key of a row: stream and issue."""
    named = _named(row)
    return named["stream"], named["issue_id"]


def _placed(rows: Iterable[Row]) -> Iterator[tuple[Place, Row]]:
    return ((place_of(row), row) for row in rows)


def _stored(row: Row) -> Stored:
    named = _named(row)
    engagement = engagement_of([named[name] for name in VALUE_NAMES])
    return Stored(named["id"], *place_of(row), engagement, named["last_position"], 0)


def _difference(
    placed: tuple[Place, Stored], kept: tuple[Place, Row] | None, adopted: Adopted
) -> str | None:
    place, fresh = placed
    if kept is None:
        return _missing(fresh)
    stored_place, stored = kept
    expected = values(fresh, adopted, _named(stored)["scored_at"])
    if expected == stored:
        return None
    if stored_place > place:
        return _missing(fresh)
    if stored_place < place:
        return needless_row(stored)
    told = _named(expected)
    name = next(name for name, value in _named(stored).items() if value != told[name])
    is_, was = _named(stored)[name], told[name]
    return f"{_name(stored)}: {name} is {is_!r}, the events say {was!r}"


def _missing(fresh: Stored) -> str:
    return f"engagement {fresh.id} ({fresh.issue_id}): not in the read model"


def needless_row(stored: Row) -> str:
    """A sentence on a row of the read model without events."""
    return f"{_name(stored)}: in the read model, but in no event"


def _name(stored: Row) -> str:
    named = _named(stored)
    return f"engagement {named['id']} ({named['issue_id']})"


# Comparison of the read model with the folds of all events, by columns.

_TYPES = {name: pa.int64() for name in COLUMNS} | {
    "issue_id": pa.string(),
    "linear_id": pa.string(),
    "score": pa.float64(),
    **{fields.value: pa.float64() for fields in DECISION_FIELDS},
}
_TEXTS = [name for name in COLUMNS if _TYPES[name] == pa.string()]

_COMPARED_AT_ONCE = 4_096
"""Rows that stay in the processor's cache until they are columns."""


@without_collecting()
def difference(folded: pa.Table, kept: Iterator[Row], adopted: Adopted) -> str | None:
    """A sentence on the first difference of stored rows from as many folded ones, or None.

    `folded` are engagements from `without_forgotten`, `kept` rows from `kept_rows`. A score may
    have been brought up to date since; it must be right for its own instant. No more of `kept` is
    read, unless they differ.
    """
    for begin in range(0, len(folded), _COMPARED_AT_ONCE):
        part = folded.slice(begin, _COMPARED_AT_ONCE)
        rows = list(islice(kept, len(part)))
        if not _are_equal(part, rows, adopted):
            fresh = rows_of(folded.slice(begin))
            placed = (((each.account, each.row.issue_id), each.row) for each in fresh)
            return first_difference(placed, map(_placed_folds, chain(rows, kept)), adopted)
    return None


def needless(kept: Iterator[Row]) -> str | None:
    """A sentence on a stored row without events, if there is one left."""
    for _, *left in kept:
        return needless_row(left)
    return None


def _placed_folds(row: Row) -> tuple[Place, Row]:
    account, *kept = row
    return (str(stored_uuid(account)), _named(kept)["issue_id"]), tuple(kept)


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


# Verification of a ledger: the truth, and whether the derived tables match it.

Progress = Callable[[int], object]
"""Called with numbers of rows or events that were checked."""


class Verification(msgspec.Struct, frozen=True):
    """The result of a verification: counts and findings; `unverified` rows have no checksum yet."""

    events: int
    rows: int
    unverified: int
    findings: list[Finding]


def size(database: Database) -> int:
    """The number of rows and events that a verification checks; 0 if it cannot be read."""
    with suppress(*UNREADABLE), snapshot(database) as connection:
        return count(connection) + count_folded(connection)
    return 0


def verify(database: Database, progress: Progress = lambda _: None) -> Verification:
    """Check everything in one snapshot; if truth is damaged, derived tables are not compared.

    Raises LedgerUnavailableError for a ledger that is not a file. Nothing is written.
    """
    findings, totals = file_findings(database), (0, 0, 0)

    def check() -> Iterator[Finding]:
        nonlocal totals
        with snapshot(database) as connection:
            with suppress(*UNREADABLE):
                totals = _totals(connection)
            known = truth_findings(connection, database.archive, progress)
            yield from known
            if not known:
                yield from found("the read model", lambda: _derived(connection, database, progress))

    findings += found("the database's file", check)
    return Verification(*totals, findings=findings)


def _totals(connection: Connection) -> tuple[int, int, int]:
    events = connection.scalar(select(head.c.position)) or 0
    return events, count(connection), count_unverified(connection)


_OF_ISSUES = {
    "issue_keys": keys_of_issues.difference,
    "moved_issues": moved_issues.difference,
    "latest_observations": latest_observations.difference,
}


def differences_of_issues(connection: Connection, database: Database) -> Iterator[tuple[str, str]]:
    """Yield the name and the first difference of each table that differs from the observations."""
    for name, difference in _OF_ISSUES.items():
        found_in = difference(connection, database)
        if found_in is not None:
            yield name, found_in


def _derived(connection: Connection, database: Database, progress: Progress) -> Iterator[Finding]:
    archive = database.archive
    lost = missing(connection)
    for table in lost:
        yield derived(table.name, "the table is missing or has other columns")
    yield from _definitions(connection, is_whole=not lost)
    if lost:
        return  # comparing needs all of them, and a repair rebuilds all of them
    found_in = _derived_difference(connection, archive, live(connection), progress)
    if found_in is not None:
        yield derived("the read model", found_in)
    for name, found_in in differences_of_issues(connection, database):
        yield derived(name, found_in)
    sealed = snapshots.whole_difference(connection, archive)
    if sealed is not None:
        yield derived("sealed_engagements", sealed)
    last = connection.execute(select(head.c.position, head.c.policy_version)).one()
    for each in besides(connection):
        if (each.position, each.policy_version) == tuple(last):
            other = _derived_difference(connection, archive, each, lambda _: None)
            if other is not None:
                yield of_replay(each.name, other)


def _definitions(connection: Connection, *, is_whole: bool) -> Iterator[Finding]:
    """Yield findings about definitions; of tables only where none is missing."""
    of_view = difference_of_view(connection)
    if of_view is not None:
        yield derived(VIEW, of_view)
    if not is_whole:
        return
    what = "its definition, or that of an index or a trigger, is not the one that it should be"
    for name in different_tables(connection):
        yield derived(name, what)
    for name in different_replays(connection):
        yield of_replay(name, what)


def _derived_difference(
    connection: Connection, archive: Archive, of: Watermark, progress: Progress
) -> str | None:
    """The first difference of a read model from the fold of the events up to its watermark."""
    adopted = Policies().in_force(connection)
    kept = kept_rows(connection, statements_of(of.name), BEFORE_ALL, AFTER_ALL)
    for folded in folded_tables(connection, archive, through=of.position):
        other = difference(folded, kept, adopted)
        if other is not None:
            return other
        progress(int(folded["events"].to_numpy().sum()))
    return needless(kept)
