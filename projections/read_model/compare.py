"""Verification of a ledger: the truth, and whether the derived tables match it."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec
from sqlalchemy import Connection, select

from ledger.archive.segment_store import Archive
from ledger.store.database import Database
from ledger.store.tables import head
from ledger.verification.file_checks import normal, objects_in
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
from projections.read_model import snapshots
from projections.read_model.accounts import AFTER_ALL, BEFORE_ALL
from projections.read_model.adopted_policies import Policies
from projections.read_model.catalog import Watermark, besides, live, missing, statements_of
from projections.read_model.comparing import difference, needless
from projections.read_model.folding import count as count_folded
from projections.read_model.folding import folded_tables, kept_rows
from projections.read_model.sql_view import issue_engagements

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
                yield from found(
                    "the read model", lambda: _derived(connection, database.archive, progress)
                )

    findings += found("the database's file", check)
    return Verification(*totals, findings=findings)


def _totals(connection: Connection) -> tuple[int, int, int]:
    events = connection.scalar(select(head.c.position)) or 0
    return events, count(connection), count_unverified(connection)


def _derived(connection: Connection, archive: Archive, progress: Progress) -> Iterator[Finding]:
    for table in missing(connection):
        yield derived(table.name, "the table is missing or has other columns")
    view = objects_in(connection).get("issue_engagements", ("", "", ""))
    if view[2] != normal(str(issue_engagements)):
        yield derived("issue_engagements", "the view is missing or has another definition")
    found_in = _derived_difference(connection, archive, live(connection), progress)
    if found_in is not None:
        yield derived("the read model", found_in)
    sealed = snapshots.whole_difference(connection, archive)
    if sealed is not None:
        yield derived("sealed_engagements", sealed)
    last = connection.execute(select(head.c.position, head.c.policy_version)).one()
    for each in besides(connection):
        if (each.position, each.policy_version) == tuple(last):
            other = _derived_difference(connection, archive, each, lambda _: None)
            if other is not None:
                yield of_replay(each.name, other)


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
