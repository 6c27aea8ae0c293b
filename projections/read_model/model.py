"""The read model: every engagement as it stood at the watermark (R10, R12)."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, select

from ledger import verification
from ledger.errors import LedgerUnavailableError
from ledger.events import EventRow
from ledger.instants import Instant
from ledger.observations import Latest
from ledger.segment import Segment
from ledger.store.database import Database
from ledger.store.job_runs import job_alone
from ledger.store.projection import TURN_SECONDS, Progress
from ledger.store.segment_rows import Comparison
from ledger.store.statements import Query, value
from ledger.store.streams import Head
from ledger.store.tables import head
from projections import read_model
from projections.engagement import Engagement, of_kinds, values_of
from projections.issue_names import Names
from projections.policy import Adopted, ScoringPolicy
from projections.ranking import band
from projections.read_model import catalog
from projections.read_model.adopted_policies import Policies
from projections.read_model.catalog import (
    NEXT,
    Watermark,
    begin_anew,
    besides,
    drop_next,
    empty_live,
    is_former,
    is_view_present,
    known,
    make,
    make_view_anew,
    missing,
    note,
    statements_of,
    take_over,
)
from projections.read_model.engagement_rows import LIVE, ScoredRow, Stored
from projections.read_model.moved_issues import MovedIssues
from projections.read_model.present_queries import PresentEngagements
from projections.read_model.tables import (
    LIVE_NAME,
    OF_ISSUES,
    engagements,
    issue_keys,
    latest_observations,
    moved_issues,
    sealed_accounts,
    sealed_engagements,
)
from projections.scoring import idle_days, score

if TYPE_CHECKING:
    import pyarrow as pa

    from ledger.archive.segment_store import Archive


# A very long tail is folded into a copy of the live read model, which takes its place at the end.
#
# The tail is folded once, some accounts at a time, and its engagements are written by their ids, so
# that no page of the table is written twice. The copy gets its indexes when it holds everything: to
# bring them along takes several times as long. Others record and ask meanwhile; what they record is
# the tail of the copy. What was filled by a process that was killed is dropped, and filled from the
# beginning.

FILLED_FROM = 20_000
"""Events; a shorter tail is folded in place, however small the ledger is."""

SHARE = 20
"""A tail is very long if it is more than a twentieth of the ledger."""

COPIED_AT_ONCE = 100_000
"""Positions a transaction, and as many rows at most."""

FILLED_AT_ONCE = 250_000
"""Events in memory as columns, or those of one user."""

WRITTEN_AT_ONCE = 20_000
"""Engagements a transaction: others wait to record while it holds the lock."""

_POSITION: Query[int] = Query(value, select(head.c.position))

JOB = "fold"


Step = Callable[[Connection], object]


class _Model(Protocol):
    """A read model, as far as it is filled here."""

    def merge(self, connection: Connection, table: "pa.Table", live: Watermark) -> None:
        """Merge engagements of the tail of the live read model into this copy of it."""


class _OvertakenError(Exception):
    """The live read model has changed, so the copy would not be of use."""


def catch_up(
    database: Database, model_of: Callable[[str], _Model], is_ended: Callable[[], bool]
) -> bool:
    """Fold the tail of the live read model if it is very long; tell whether the head is near.

    It is not if `is_ended` said so, or where another process is at it.
    """
    if not _is_far_behind(database):
        return True
    with ExitStack() as held:
        try:
            held.enter_context(job_alone(database, JOB, patience_seconds=0))
        except LedgerUnavailableError:
            return False
        while _is_far_behind(database):
            if not _Filling(database, model_of(NEXT), is_ended).run():
                return False
    return True


def _is_far_behind(database: Database) -> bool:
    with database.read() as connection:
        position, watermark = Head.read(connection).position, catalog.live(connection).position
    return position - watermark > max(FILLED_FROM, position // SHARE)


class _Filling:
    """One filling, of short transactions between which others write."""

    def __init__(self, database: Database, model: _Model, is_ended: Callable[[], bool]) -> None:
        self._database, self._model, self._is_ended = database, model, is_ended
        with database.write() as connection:
            catalog.drop_next(connection)
            self._live = catalog.live(connection)
            position = Head.read(connection).position
            self._next = self._live._replace(name=NEXT, position=position, identical=None)
            catalog.create_bare(connection, self._next)

    def run(self) -> bool:
        """Return whether it was not ended early; it may have been overtaken."""
        try:
            for step in self._steps():
                if self._is_ended():
                    self._drop()
                    return False
                with self._database.write() as connection:
                    self._expect(connection)
                    step(connection)
                time.sleep(TURN_SECONDS)
        except _OvertakenError:
            self._drop()
        return True

    def _steps(self) -> Iterator[Step]:
        for after in range(0, self._live.position, COPIED_AT_ONCE):
            upto = min(after + COPIED_AT_ONCE, self._live.position)
            yield partial(catalog.copy_live, name=NEXT, after=after, upto=upto)
        for table in self._tail():
            for begin in range(0, len(table), WRITTEN_AT_ONCE):
                yield partial(self._merge, table.slice(begin, WRITTEN_AT_ONCE))
        for _ in engagements.indexes:
            yield partial(catalog.create_an_index, name=NEXT)
        yield partial(catalog.replace_live, beside=self._next)

    def _tail(self) -> "Iterator[pa.Table]":
        """Yield the engagements of the tail, those of some accounts at a time."""
        positions = self._live.position, self._next.position
        with self._reading() as connection:
            spans = list(read_model.full_fold.spans(connection, *positions, FILLED_AT_ONCE))
        for span in spans:
            with self._reading() as connection:  # while one lasts, SQLite cannot reuse its log
                tables = list(read_model.full_fold.folded_span(connection, *positions, span))
            yield from tables

    def _merge(self, table: "pa.Table", connection: Connection) -> None:
        self._model.merge(connection, table, self._live)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._database.read() as connection:
            self._expect(connection)
            yield connection

    def _expect(self, connection: Connection) -> None:
        """Raise _OvertakenError if anything but events has changed since this began.

        Any other change folds the live one, or drops or empties the other.
        """
        if (catalog.live(connection), catalog.find(connection, NEXT)) != (self._live, self._next):
            raise _OvertakenError

    def _drop(self) -> None:
        with self._database.write() as connection:
            catalog.drop_next(connection)


_log = logging.getLogger(__name__)

FOLDED_AT_ONCE = 2_000
"""Events per step, during which recording waits for 50 to 100 milliseconds."""


REFRESHED_AT_ONCE = 500
"""Rows per transaction, which bounds how long recording waits."""


class ReadModel:
    """Maintains one table of engagements, scored and banded by the policy in force.

    It is the live one, which answers questions, unless it has another name. A row does not depend
    on when its events were folded.
    """

    def __init__(self, name: str = LIVE_NAME, policies: Policies | None = None) -> None:
        """Maintain the read model of this name; `policies` are those of the ledger."""
        self.policies = policies or Policies()
        self.moved = MovedIssues()
        self.name = name
        self.statements = statements_of(name)

    def prepare(self, database: Database) -> None:
        """Create derived tables and the view if they are missing or have another form.

        The read model is then rebuilt from all events, and read models beside it are dropped.
        Raises LedgerDamagedError if a verification finds damaged events.
        """
        with database.read() as connection:
            has_former = is_former(connection)
        if has_former:
            with database.write() as connection:
                take_over(connection)
        with database.read() as connection:
            lost, is_shown = missing(connection), is_view_present(connection)
            is_new = not _POSITION.first(connection)
        if set(lost) - {sealed_accounts, *OF_ISSUES} and not is_new:
            verification.truth.expect_sound(database)
        if lost or not is_shown:
            with database.write() as connection:
                self._make(connection, database)

    def _make(self, connection: Connection, database: Database) -> None:
        lost = missing(connection)
        make(connection, lost)
        if not is_view_present(connection):
            make_view_anew(connection)
        if not Head.read(connection).position:
            return  # nothing is to be folded, which would load Arrow
        if sealed_engagements in lost:
            read_model.snapshots.make_anew(connection, database.archive)
        if issue_keys in lost:
            read_model.keys_of_issues.fill(connection, database)
        if moved_issues in lost:
            read_model.moved_issues.fill(connection, database)
        if latest_observations in lost:
            read_model.latest_observations.fill(connection, database)
        if engagements in lost:
            self.fill(connection, read_model.snapshots.present(connection))

    def note_keys(
        self, connection: Connection, database: Database, keys: Sequence[tuple[str, int, int]]
    ) -> None:
        """Add the keys of new observations, and the issues that moved by them."""
        read_model.keys_of_issues.note(connection, keys)
        read_model.moved_issues.note(connection, database, keys)

    def note_latest(self, connection: Connection, latest: Mapping[int, Latest]) -> None:
        """Replace the rows of issues with new observations."""
        read_model.latest_observations.note(connection, latest)

    def latest(self, connection: Connection, stream: int) -> Latest | None:
        """The latest observation of an issue."""
        return read_model.latest_observations.of_stream(connection, stream)

    def names(self, connection: Connection, database: Database) -> Names:
        """The names of the issues that moved."""
        return self.moved.names(connection, database)

    def tail_length(self, connection: Connection) -> int:
        """The number of positions after the watermark."""
        return Head.read(connection).position - known(connection, self.name).position

    def fold(self, connection: Connection, archive: "Archive") -> None:
        """Fold the tail, within the transaction of `connection`.

        If another policy is in force, every engagement is scored and banded by it.
        """
        while not self.advance(connection, archive):
            pass

    def advance(self, connection: Connection, archive: "Archive") -> bool:
        """Fold the next events and move the watermark; tell whether it has reached the head.

        A new policy is applied at the head, with its instant.
        """
        head, begun = Head.read(connection), known(connection, self.name)
        upto = min(begun.position + FOLDED_AT_ONCE, head.position)
        _log.debug("folds", extra={"after": begun.position, "upto": upto})
        rows = read_model.full_fold.recorded(connection, archive, begun.position, upto)
        self.project(connection, rows, begun.policy_version)
        reached = begun._replace(position=upto)
        if upto == head.position and begun.policy_version != head.policy_version:
            self._rule(connection, head.recorded_at)
            reached = reached._replace(policy_version=head.policy_version)
        if reached != begun:  # a transaction without changes costs no sync
            note(connection, reached)
        return upto == head.position

    def catch_up(self, database: Database, is_ended: Callable[[], bool]) -> bool:
        """See the function `catch_up`."""
        return catch_up(database, lambda name: ReadModel(name, self.policies), is_ended)

    def project(
        self, connection: Connection, rows: Sequence[EventRow], policy_version: int
    ) -> None:
        """Merge `rows`, which are sorted by position, into their engagements."""
        if rows:
            adopted = self.policies.of_version(connection, policy_version)
            find = self.statements.stored.finder(connection)
            self._write(connection, *read_model.columnar_fold.fold_rows(rows, find, adopted))

    def merge(self, connection: Connection, table: "pa.Table", live: Watermark) -> None:
        """Merge engagements of the tail of the live read model into this copy of it."""
        adopted = self.policies.of_version(connection, live.policy_version)
        find = LIVE.stored.finder(connection) if live.position else _nothing
        self._write(connection, *read_model.columnar_fold.merged_rows(table, find, adopted))

    def _write(
        self, connection: Connection, new: Sequence[Sequence[Any]], changed: Sequence[Sequence[Any]]
    ) -> None:
        changes = [(*values, id_) for id_, _, _, *values in changed]
        self.statements.insert.run_many(connection, new)
        self.statements.update.run_many(connection, changes)

    def knows(
        self, connection: Connection, database: Database, user_id: str, issue_id: str
    ) -> bool:
        """Whether the user ever touched the issue, under any of its keys."""
        theirs = PresentEngagements(connection, database, user_id, self.moved)
        return theirs.stored(issue_id) is not None

    def _rule(self, connection: Connection, at: Instant) -> None:
        """Score and band every engagement by the policy in force."""
        # Not cached: if this transaction fails, another policy may get the same version.
        adopted = Policies().in_force(connection)
        last_id = 0
        while rows := self._batch_after(connection, last_id):
            ruled = [_ruled_anew(row, at, adopted) for row in rows]
            self.statements.adopt.run_many(connection, ruled)
            last_id = rows[-1].id

    def fill(self, connection: Connection, tables: Iterable["pa.Table"]) -> None:
        """Insert all engagements at the head into the empty table.

        They are given as by `folded_tables`.
        """
        adopted = self.policies.in_force(connection)
        for table in tables:
            self.statements.insert.run_many(
                connection, read_model.columnar_fold.table_rows(table, adopted)
            )
        position = Head.read(connection).position
        note(connection, Watermark(self.name, position, adopted.version))

    def refold(
        self, connection: Connection, database: Database, progress: Progress = lambda _: None
    ) -> tuple[int, int]:
        """Rebuild the live and the sealed engagements from every event.

        Returns the numbers of events and engagements; `progress` takes numbers of folded events.
        """
        empty_live(connection)
        read_model.keys_of_issues.fill(connection, database)
        read_model.moved_issues.fill(connection, database)
        read_model.latest_observations.fill(connection, database)
        read_model.snapshots.make_anew(connection, database.archive)
        events = counted = 0

        def tables() -> Iterator["pa.Table"]:
            nonlocal events, counted
            for table in read_model.full_fold.folded_tables(connection, database.archive):
                folded = int(table["events"].to_numpy().sum())
                events, counted = events + folded, counted + len(table)
                progress(folded)
                yield table

        self.fill(connection, tables())
        return events, counted

    def retime(self, connection: Connection, database: Database) -> None:
        """Rebuild everything with the effective instants after a new correction of the clock.

        Read models beside the live one are folded from the first event again.
        """
        self.refold(connection, database)
        begin_anew(connection)

    def forget(self, connection: Connection, stream: int) -> None:
        """Delete the engagements of one account, also from every other read model.

        One that is filled is dropped: it would get more of them.
        """
        self.statements.forget.run(connection, stream)
        read_model.snapshots.forget(connection, stream)
        drop_next(connection)
        for each in besides(connection):
            statements_of(each.name).forget.run(connection, stream)

    def prepare_sealing(self, database: Database) -> None:
        """See `certificate.prepare`."""
        read_model.certificate.prepare(database)

    def certify(
        self, connection: Connection, archive: "Archive", new: Sequence[Segment], progress: Progress
    ) -> list[Comparison]:
        """See `certificate.certify`."""
        return read_model.certificate.certify(connection, archive, new, progress)

    def seal(self, connection: Connection, table: "pa.Table", compared: Comparison) -> None:
        """See `snapshots.seal`."""
        read_model.snapshots.seal(connection, table, compared)

    def sealed_difference(self, connection: Connection, archive: "Archive") -> str | None:
        """See `snapshots.whole_difference`."""
        return read_model.snapshots.whole_difference(connection, archive)

    def refresh(
        self, database: Database, at: Instant, idle_longer_than_days: int, user_id: str | None
    ) -> int:
        """Bring the score column to the instant `at`, in one transaction per batch, which folds
        first.

        Returns the number of engagements that have been idle for more than the given days by then.
        """
        idle, last_id = 0, 0
        while True:
            with database.write() as connection:
                self.fold(connection, database.archive)
                policy = self.policies.in_force(connection).policy
                rows = self._batch_after(connection, last_id, user_id)
                refreshed = [_refreshed(row, at, policy) for row in rows]
                self.statements.refresh.run_many(connection, refreshed)
            counted = (of_kinds(row.engagement, policy.kinds) for row in rows)
            idle += sum(idle_days(each, at) > idle_longer_than_days for each in counted)
            if len(rows) < REFRESHED_AT_ONCE:
                return idle
            last_id = rows[-1].id

    def _batch_after(
        self, connection: Connection, last_id: int, user_id: str | None = None
    ) -> list[ScoredRow]:
        rows = self.statements.batch.all(connection, last_id, user_id, user_id)
        return list(islice(rows, REFRESHED_AT_ONCE))


def _nothing(*_: object) -> None:
    """Find what is stored before anything was folded."""


def values(row: Stored, adopted: Adopted, scored_at: int = 0) -> tuple[Any, ...]:
    """The values of `row` in the order of the table's columns, with those that the policy
    determines.

    The score is that at the row's own instant or at `scored_at`, whichever is later.
    """
    position, stream, issue_id, engagement, last_position, own_instant = row
    return (
        position,
        stream,
        issue_id,
        *values_of(engagement),
        engagement.last_at,
        engagement.last_kind,
        last_position,
        *_ruled(engagement, Instant(max(scored_at, own_instant)), adopted),
    )


def _ruled(engagement: Engagement, at: Instant, adopted: Adopted) -> tuple[Any, ...]:
    """The values that the policy determines, in the order of `RULED`."""
    policy = adopted.policy
    active_at = of_kinds(engagement, policy.kinds).last_at
    value = score(engagement, at, policy).value
    return band(engagement, policy), active_at, value, at, adopted.version


def _ruled_anew(row: ScoredRow, at: Instant, adopted: Adopted) -> tuple[Any, ...]:
    return *_ruled(row.engagement, max(at, row.scored_at), adopted), row.id


def _refreshed(row: ScoredRow, at: Instant, policy: ScoringPolicy) -> tuple[float, int, int]:
    at = max(at, row.scored_at)
    return score(row.engagement, at, policy).value, at, row.id
