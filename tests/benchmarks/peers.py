"""The peers: bare sqlite3, and the eventsourcing package as it comes, on its own SQLite module."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from eventsourcing.application import Application

from tests.benchmarks.histories import Touch, batches, key_of

APPENDED_AT_ONCE = 1_000

_ACCOUNTS = UUID("5f0c1c7e-8a4b-4b7e-9a51-3c3d1f6a2b90")

_CREATE = """CREATE TABLE interactions (position INTEGER PRIMARY KEY, user_id TEXT, issue_id TEXT,
    kind TEXT, occurred_at INTEGER, context TEXT, source_key TEXT)"""
_INSERT = "INSERT INTO interactions VALUES (NULL, ?, ?, ?, ?, ?, ?)"


# --- bare sqlite3 --------------------------------------------------------------------------------


class BareTable:
    """One table in WAL mode with synchronous=FULL, and one durable transaction for each row.

    A row says what the interaction says, with its context and source key; there is no index, no
    deduplication and no read model.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", _CREATE):
            connection.execute(statement)

    def record(self, touch: Touch) -> None:
        """Insert one row; when this returns, it survives a power cut."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(_INSERT, _row(touch))
        self._connection.execute("COMMIT")

    def truncate_log(self) -> None:
        """Write the log into the file, and start another one."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def prefill(self, touches: Iterable[Touch]) -> None:
        """Insert many rows in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(_INSERT, map(_row, touches))
        self._connection.execute("COMMIT")


@contextmanager
def bare_table(path: Path) -> Iterator[BareTable]:
    """Make the table in a new file, and close it at the end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield BareTable(connection)


def _row(touch: Touch) -> tuple[object, ...]:
    occurred_at = int(touch.occurred_at.timestamp() * 1_000_000)
    return (
        touch.user_id,
        touch.issue_id,
        touch.kind,
        occurred_at,
        touch.context,
        key_of(touch),
    )


# --- stock eventsourcing -------------------------------------------------------------------------


@dataclass
class Tally:
    """The engagement that the peer's replay keeps of one user and one issue."""

    kinds: dict[str, int] = field(default_factory=dict)
    first_at: datetime | None = None
    last: tuple[datetime, str] | None = None


@dataclass
class Account:
    """The peer's aggregate: one user, with a tally of each issue."""

    id: UUID
    version: int = 0
    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))


@dataclass(frozen=True)
class Touched:
    """A plain event, for the package's own mapper, JSON transcoder and projector."""

    originator_id: UUID
    originator_version: int
    timestamp: datetime
    issue_id: str
    kind: str
    occurred_at: datetime

    def mutate(self, account: Account | None) -> Account:
        """Return the aggregate with this event taken in."""
        account = account or Account(self.originator_id)
        account.version = self.originator_version
        tally = account.tallies[self.issue_id]
        tally.kinds[self.kind] = tally.kinds.get(self.kind, 0) + 1
        if tally.first_at is None or self.occurred_at < tally.first_at:
            tally.first_at = self.occurred_at
        if tally.last is None or (self.occurred_at, self.kind) > tally.last:
            tally.last = (self.occurred_at, self.kind)
        return account


class StockStore:
    """An eventsourcing application with its defaults, one stream for each user.

    It appends without deduplication, origins or read model, as its own batches go: durable, since
    SQLite's default is synchronous=FULL.
    """

    def __init__(self, application: Application[UUID]) -> None:
        self._application = application
        self._versions: dict[str, int] = defaultdict(int)

    def append(self, touches: Iterable[Touch]) -> None:
        """Save the touches, a batch a transaction."""
        for batch in batches(touches, APPENDED_AT_ONCE):
            self._application.save(*(self._event(touch) for touch in batch))

    def replay(self) -> int:
        """Reconstruct every user's aggregate from its events and return how many events it took."""
        get: Callable[..., Any] = self._application.repository.get
        return sum(get(_account(user_id)).version for user_id in self._versions)

    def _event(self, touch: Touch) -> Touched:
        self._versions[touch.user_id] += 1
        return Touched(
            originator_id=_account(touch.user_id),
            originator_version=self._versions[touch.user_id],
            timestamp=datetime.now(UTC),
            issue_id=touch.issue_id,
            kind=touch.kind,
            occurred_at=touch.occurred_at,
        )


@cache
def _account(user_id: str) -> UUID:
    return uuid5(_ACCOUNTS, user_id)


@contextmanager
def stock_store(path: Path) -> Iterator[StockStore]:
    """Make the store in a new file, and close it at the end."""
    settings = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)}
    with Application[UUID](settings) as application:
        yield StockStore(application)
