"""The read model: every engagement as it stands, brought along by each append (R10, R12)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, select

from ledger import verification
from ledger.events import EventRow
from ledger.instants import Instant
from ledger.segment import Segment
from ledger.store.database import Database
from ledger.store.sealable import Progress
from ledger.store.segments import Comparison
from ledger.store.tables import head
from projections import views
from projections.engagement import Engagement, of_kinds
from projections.policy import Adopted, ScoringPolicy
from projections.ranking import band
from projections.scoring import idle_days, score
from projections.views.beside import (
    begin_anew,
    besides,
    empty_live,
    is_view_present,
    make,
    make_view_anew,
    missing,
    statements_of,
)
from projections.views.policies import Policies
from projections.views.stored import Stored, fold_stored, stored_engagement, together
from projections.views.table_statements import IDENTITY, LIVE, TableStatements
from projections.views.tables import engagements, sealed_engagements

if TYPE_CHECKING:
    import pyarrow as pa

    from ledger.archive.folder import Archive

REFRESHED_AT_ONCE = 500
"""Rows a transaction: whoever records meanwhile waits for no more."""

INSERTED_AT_ONCE = 2_000


class ReadModel:
    """Keeps one table of engagements, scored and banded by the policy in force.

    That is the live one, which each append brings along, unless another one is given.
    """

    def __init__(
        self, statements: TableStatements = LIVE, policies: Policies | None = None
    ) -> None:
        """Write by `statements`; `policies` are those of the ledger, as they come up."""
        self.policies = policies or Policies()
        self.statements = statements

    def prepare(self, database: Database) -> None:
        """Create derived tables and the view if they are missing or have another form.

        The read model is then rebuilt from all events, and read models beside it are dropped.
        Raises LedgerDamagedError if a verification finds damaged events.
        """
        with database.read() as connection:
            lost, is_shown = missing(connection), is_view_present(connection)
            is_new = not connection.scalar(select(head.c.position))
        if lost and not is_new:
            verification.truth.expect_sound(database)
        if lost or not is_shown:
            with database.write() as connection:
                self._make(connection, database.archive)

    def _make(self, connection: Connection, archive: "Archive") -> None:
        lost = missing(connection)
        make(connection, lost)
        if not is_view_present(connection):
            make_view_anew(connection)
        if sealed_engagements in lost:
            views.sealing.make_anew(connection, archive)
        if engagements in lost:
            self.fill(connection, views.sealing.present(connection))

    def project(
        self, connection: Connection, rows: Sequence[EventRow], policy_version: int
    ) -> None:
        """Merge `rows` into the engagements that they belong to."""
        adopted = self.policies.of_version(connection, policy_version)
        new, changed = [], []
        stored = self.statements.stored.finder(connection)
        for (stream, issue_id), group in _grouped(rows).items():
            before = stored(stream, issue_id)
            after = fold_stored(group)
            if before is None:
                new.append(values(after, adopted))
            else:
                row = values(together(_known(before, after), after), adopted)
                changed.append((*row[len(IDENTITY) :], row[0]))
        self.statements.insert.run_many(connection, new)
        self.statements.update.run_many(connection, changed)

    def knows(self, connection: Connection, stream: int, issue_id: str) -> bool:
        """Tell whether the account that is interned as `stream` ever touched the issue."""
        return bool(self.statements.stored.run(connection, stream, issue_id).fetchone())

    def adopt(self, connection: Connection, at: Instant) -> None:
        """Score and band every engagement by the policy that is in force from now on."""
        # Not remembered: where this transaction fails, another policy may get the same version.
        adopted = Policies().in_force(connection)
        last_id = 0
        while rows := self._batch_after(connection, last_id):
            ruled = [_ruled_anew(row, at, adopted) for row in rows]
            self.statements.adopt.run_many(connection, ruled)
            last_id = rows[-1][0]

    def fill(self, connection: Connection, rows: Iterable[Stored]) -> None:
        """Insert `rows`, of engagements that are not there yet."""
        adopted = self.policies.in_force(connection)
        source = iter(rows)
        while batch := [values(row, adopted) for row in islice(source, INSERTED_AT_ONCE)]:
            self.statements.insert.run_many(connection, batch)

    def refold(
        self, connection: Connection, archive: "Archive", progress: Progress = lambda _: None
    ) -> tuple[int, int]:
        """Rebuild the live and the sealed engagements from every event.

        Returns how many events were folded to how many engagements; `progress` takes how many more
        events were.
        """
        empty_live(connection)
        views.sealing.make_anew(connection, archive)
        events = counted = 0

        def rows() -> Iterator[Stored]:
            nonlocal events, counted
            for fresh in views.folding.folds(connection, archive):
                events, counted = events + fresh.events, counted + 1
                progress(fresh.events)
                yield fresh.row

        self.fill(connection, rows())
        return events, counted

    def retime(self, connection: Connection, archive: "Archive") -> None:
        """Rebuild everything with the effective instants after a new correction of the clock.

        Read models beside the live one are folded from the first event again.
        """
        self.refold(connection, archive)
        begin_anew(connection)

    def forget(self, connection: Connection, stream: int) -> None:
        """Delete the engagements of one account, also from every read model beside this one."""
        self.statements.forget.run(connection, stream)
        views.sealing.forget(connection, stream)
        for each in besides(connection):
            statements_of(each.name).forget.run(connection, stream)

    def certify(
        self, connection: Connection, archive: "Archive", new: Sequence[Segment], progress: Progress
    ) -> Comparison:
        """Do what `sealing.certify` does."""
        return views.sealing.certify(connection, archive, new, progress)

    def seal(self, connection: Connection, table: "pa.Table") -> None:
        """Do what `sealing.seal` does."""
        views.sealing.seal(connection, table)

    def sealed_difference(self, connection: Connection, archive: "Archive") -> str | None:
        """Do what `sealing.difference` does."""
        return views.sealing.difference(connection, archive)

    def refresh(
        self, database: Database, at: Instant, idle_longer_than_days: int, user_id: str | None
    ) -> int:
        """Bring the score column to the instant `at`, a batch a transaction.

        Returns how many of the engagements have been idle for more than the given days by then.
        """
        idle, last_id = 0, 0
        while True:
            with database.write() as connection:
                policy = self.policies.in_force(connection).policy
                rows = self._batch_after(connection, last_id, user_id)
                refreshed = [_refreshed(row, at, policy) for row in rows]
                self.statements.refresh.run_many(connection, refreshed)
            counted = (of_kinds(stored_engagement(row[2:]), policy.kinds) for row in rows)
            idle += sum(idle_days(each, at) > idle_longer_than_days for each in counted)
            if len(rows) < REFRESHED_AT_ONCE:
                return idle
            last_id = rows[-1][0]

    def _batch_after(
        self, connection: Connection, last_id: int, user_id: str | None = None
    ) -> list[Sequence[Any]]:
        cursor = self.statements.batch.run(connection, last_id, user_id, user_id)
        rows: list[Sequence[Any]] = cursor.fetchmany(REFRESHED_AT_ONCE)
        return rows


def values(row: Stored, adopted: Adopted, scored_at: int = 0) -> tuple[Any, ...]:
    """Return `row` in the order of the table's columns, as the policy has it.

    The score is that at the row's own instant or at `scored_at`, whichever is later.
    """
    position, stream, issue_id, engagement, last_position, own_instant = row
    return (
        position,
        stream,
        issue_id,
        *msgspec.structs.astuple(engagement),
        engagement.last_at,
        engagement.last_kind,
        last_position,
        *_ruled(engagement, Instant(max(scored_at, own_instant)), adopted),
    )


def _ruled(engagement: Engagement, at: Instant, adopted: Adopted) -> tuple[Any, ...]:
    """The columns that the policy makes, in the order of `RULED`."""
    policy = adopted.policy
    active_at = of_kinds(engagement, policy.kinds).last_at
    value = score(engagement, at, policy).value
    return band(engagement, policy), active_at, value, at, adopted.version


def _ruled_anew(row: Sequence[Any], at: Instant, adopted: Adopted) -> tuple[Any, ...]:
    where, scored_at, *fields = row
    return *_ruled(stored_engagement(fields), max(at, scored_at), adopted), where


def _refreshed(row: Sequence[Any], at: Instant, policy: ScoringPolicy) -> tuple[float, int, int]:
    where, scored_at, *fields = row
    at = max(at, scored_at)
    return score(stored_engagement(fields), at, policy).value, at, where


def _known(row: Sequence[Any], new: Stored) -> Stored:
    """What is stored of the engagement of `new`; its score has no instant that counts any more."""
    position, last_position, *fields = row
    return Stored(position, new.stream, new.issue_id, stored_engagement(fields), last_position, 0)


def _grouped(rows: Sequence[EventRow]) -> dict[tuple[int, str], list[EventRow]]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.stream, row.issue_id].append(row)
    return groups
