"""Replay: every event folded again and compared with the read model, or written to it (R12)."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, delete, insert, select

from ledger.archive.parquet import ROWS_OF_A_GROUP
from ledger.errors import LedgerUnavailableError
from ledger.processes.second_process import SecondProcess
from ledger.store.database import Database
from ledger.store.segment_rows import segments
from ledger.store.statements import Statement
from ledger.verification.file_checks import is_whole
from ledger.verification.truth import expect_sound
from projections.read_model.catalog import live, make
from projections.read_model.compare import difference, differences_of_issues, needless
from projections.read_model.definitions import different_tables
from projections.read_model.full_fold import (
    AFTER_ALL,
    BEFORE_ALL,
    count,
    folded_tables,
    kept_rows,
    last_account,
)
from projections.read_model.model import ReadModel
from projections.read_model.queries import tail_count
from projections.read_model.tables import comparison, read_models

COMPARED_AT_ONCE = 500_000
"""Events a transaction, or those of one user: while one lasts, SQLite cannot reuse its log."""

GROUPS_OF_EACH = 8
"""Row groups of each segment that are read in a transaction, about."""

SHARED_FROM = 1_000_000
"""Positions that are worth a second process: it takes half a second to start."""

NOTED_EVERY_SECONDS = 2.0

Progress = Callable[[int], object]
"""Called now and then with how many more events were folded."""

_NOTED = Statement(select(comparison.c.account, comparison.c.events, comparison.c.engagements))


class Replay(msgspec.Struct, frozen=True):
    """The result of a replay: `difference` is None if the read model is identical.

    The first `resumed_after` of the `events` were compared by a replay that did not end. The
    `tail` counts the events that were not compared, as the read model does not hold them yet.
    """

    events: int
    engagements: int
    difference: str | None
    resumed_after: int = 0
    tail: int = 0


def count_events(database: Database, *, repair: bool) -> int:
    """Return how many events a replay folds: all to repair, or those up to the watermark."""
    with database.read() as connection:
        return count(connection) - (0 if repair else tail_count(connection))


def compare(
    database: Database, read_model: ReadModel, progress: Progress, *, afresh: bool = False
) -> Replay:
    """Fold every event up to the watermark, and return the first difference from the read model.

    Goes on where a replay that was killed had come, unless it is to begin `afresh`. Each engagement
    is compared as it is at one moment, some of them at later moments than others; recording goes on
    meanwhile.
    """
    with _second_process(database) as second:
        comparing = _Comparison(database, read_model, progress, second, afresh=afresh)
        while comparing.account != AFTER_ALL:
            comparing.compare_next()
            comparing.note()
        comparing.end()
    with database.read() as connection:
        tail = tail_count(connection)
        _, of_issues = next(differences_of_issues(connection, database), ("", None))
    different = comparing.difference or of_issues
    return Replay(comparing.events, comparing.engagements, different, comparing.resumed_after, tail)


def repair(database: Database, read_model: ReadModel, progress: Progress) -> Replay:
    """Rebuild the read model from every event, in one transaction.

    Read models beside it are dropped where the list of them is damaged. Raises LedgerDamagedError
    where an event is damaged: folding it would spread the damage.
    """
    expect_sound(database)
    with database.write() as connection:
        if database.path is not None and not _is_sound(connection, read_models.name):
            make(connection, [read_models])
        events, engagements = read_model.refold(connection, database, progress)
    return Replay(events, engagements, None)


def _is_sound(connection: Connection, table: str) -> bool:
    """Whether a table's pages and its definition are as they should be."""
    return is_whole(connection, table) and table not in different_tables(connection)


class Compared(NamedTuple):
    """The result of comparing the engagements of some accounts."""

    events: int
    engagements: int
    difference: str | None


def compare_accounts(url: str, after: str, upto: str) -> Compared:
    """Compare the engagements of some accounts for another process, which reads the same ledger."""
    return _compared(_opened(url), ReadModel(), after, upto, lambda _: None)


@lru_cache(maxsize=1)
def _opened(url: str) -> Database:
    return Database(url)


def _compared(
    database: Database, read_model: ReadModel, after: str, upto: str, progress: Progress
) -> Compared:
    """Compare the engagements of the accounts `after` < account <= `upto` within one moment."""
    found, events, engagements = None, 0, 0
    with database.read() as connection:
        kept = kept_rows(connection, read_model.statements, after, upto)
        adopted = read_model.policies.in_force(connection)
        through = live(connection).position
        for folded in folded_tables(connection, database.archive, after, upto, through):
            found = found or difference(folded, kept, adopted)
            count_ = int(folded["events"].to_numpy().sum())
            events, engagements = events + count_, engagements + len(folded)
            progress(count_)
        found = found or needless(kept)
    return Compared(events, engagements, found)


def _second_process(database: Database) -> AbstractContextManager[SecondProcess | None]:
    """Return what compares in a second process, where that is worth starting it."""
    with database.read() as connection:
        is_long = live(connection).position >= SHARED_FROM  # to count the events takes long
    if is_long and database.path is not None and SecondProcess.is_useful():
        return SecondProcess(f"{__name__}:{compare_accounts.__name__}")
    return nullcontext()


class _Comparison:
    """How far a comparison has come; noted now and then, so that another process can go on."""

    def __init__(
        self,
        database: Database,
        read_model: ReadModel,
        progress: Progress,
        second: SecondProcess | None,
        *,
        afresh: bool,
    ) -> None:
        self.difference: str | None = None
        self._database, self._read_model, self._progress = database, read_model, progress
        self._second = second
        with database.read() as connection:
            noted = _NOTED.run(connection).fetchone()
        self._is_noted, self._can_note = noted is not None, True
        begun: tuple[str, int, int] = (BEFORE_ALL, 0, 0) if afresh or noted is None else noted
        self.account, self.events, self.engagements = begun
        self.resumed_after = self.events
        self._noted_at = time.monotonic()
        progress(self.events)

    def compare_next(self) -> None:
        """Compare the engagements of the next few accounts, and of as many in the second process.

        That one begins its first part when it has started.
        """
        middle = self._end_after(self.account)
        if self._second is None or middle == AFTER_ALL:
            self._take(self._compared(self.account, middle), middle)
            return
        last, url = self._end_after(middle), self._database.url
        self._second.begin(url.render_as_string(hide_password=False), middle, last)
        self._take(self._compared(self.account, middle), middle)
        theirs = self._second.result()
        if theirs is None:  # it has failed: here the reason is seen, if it lasts
            self._take(self._compared(middle, last), last)
        else:
            self._progress(theirs[0])
            self._take(Compared(*theirs), last)

    def _end_after(self, account: str) -> str:
        """Return the last of the accounts that are compared together after another one."""
        with self._database.read() as connection:
            return last_account(connection, account, self._at_once(connection))

    def _at_once(self, connection: Connection) -> int:
        """More where there are many segments: each of them is read a row group at least.

        Each of two processes takes no more than half of what is left.
        """
        least = GROUPS_OF_EACH * ROWS_OF_A_GROUP * len(segments(connection))
        if self._second is None:
            return max(COMPARED_AT_ONCE, least)
        half = (live(connection).position - self.events) // 2
        return max(COMPARED_AT_ONCE // 2, min(half, least))

    def _compared(self, after: str, upto: str) -> Compared:
        return _compared(self._database, self._read_model, after, upto, self._progress)

    def _take(self, found: Compared, upto: str) -> None:
        self.events += found.events
        self.engagements += found.engagements
        self.difference = self.difference or found.difference
        self.account = upto

    def note(self) -> None:
        """Note how far it came, unless that was done just now, or a difference would be lost.

        A ledger that cannot be written is compared all the same, without notes.
        """
        now = time.monotonic()
        wanted = self._can_note and self.difference is None and self.account != AFTER_ALL
        if wanted and now >= self._noted_at + NOTED_EVERY_SECONDS:
            self._write(account=self.account, events=self.events, engagements=self.engagements)
            self._noted_at = time.monotonic()

    def end(self) -> None:
        """Remove the note."""
        if self._is_noted and self._can_note:
            self._write()

    def _write(self, **row: str | int) -> None:
        try:
            with self._database.write() as connection:
                connection.execute(delete(comparison))
                if row:
                    connection.execute(insert(comparison).values(id=1, **row))
                    self._is_noted = True
        except LedgerUnavailableError:
            self._can_note = False
