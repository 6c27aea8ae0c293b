"""SQLite: connections that lose nothing, the lock between processes, and its failures."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy
from eventsourcing import persistence
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound
from sqlalchemy.pool import NullPool, QueuePool

from ledger.errors import DiskFullError, LedgerDamagedError, LedgerError, LedgerUnavailableError

READERS_AT_ONCE = 16

CHANGED = "the file was written while it was read"
"""The error of a reader without locks that may have read parts of two moments."""

Stamp = tuple[int, int, int]
_NO_FILE: Stamp = (0, 0, 0)

_PRAGMAS = (
    "foreign_keys=ON",
    "secure_delete=ON",  # or a deleted text stays readable in the file
    "cache_size=-32768",  # KiB; a replay sorts in it before it needs the disk
    "fullfsync=ON",  # macOS: a sync reaches the drive, not only its cache
    "synchronous=FULL",  # NORMAL loses acknowledged commits in a power cut
)


class Access(NamedTuple):
    """The options in which writing and reading connections differ."""

    mode: str
    pool: type[Any]


WRITING = Access("rwc", NullPool)
READING = Access("ro", QueuePool)

BEGIN_WRITING = "BEGIN IMMEDIATE"
"""Begins a transaction on the writer's connection: SQLAlchemy begins none there."""


def engine_of(path: Path, access: Access, patience_seconds: float) -> Engine:
    """An engine on the file at `path`; connections wait `patience_seconds` for locks."""
    sizes = {"pool_size": READERS_AT_ONCE, "max_overflow": -1} if access is READING else {}
    engine = sqlalchemy.create_engine(
        "sqlite://",
        creator=partial(_connected, path, access),
        poolclass=access.pool,
        **sizes,
    )
    waiting = f"busy_timeout={int(patience_seconds * 1000)}"
    journal = ("journal_mode=WAL",) if access is WRITING else ()
    event.listen(engine, "connect", _set_pragmas((waiting, *journal, *_PRAGMAS)))
    if access is READING:
        event.listen(engine, "begin", _begin_reading)
        event.listen(engine, "checkout", partial(_check_thaw, path))
        event.listen(engine, "commit", partial(_check_unchanged, path))
    return engine


class _Frozen(sqlite3.Connection):
    """A connection to a file in a folder that is read-only: without locks and shared memory."""

    seen: tuple[Stamp, Stamp]
    """The file and its log when it was opened."""


def _connected(path: Path, access: Access) -> sqlite3.Connection:
    seen = _frozen(path) if access is READING else None
    connection = sqlite3.connect(
        f"file:{_escaped(path)}?mode={access.mode}{_frozen_options(seen)}",
        uri=True,
        # The driver must not open transactions itself: it would not begin one for a SELECT.
        isolation_level=None,
        check_same_thread=False,
        factory=_Frozen if seen else sqlite3.Connection,
    )
    if isinstance(connection, _Frozen) and seen:
        connection.seen = seen
    return connection


def _frozen_options(seen: tuple[Stamp, Stamp] | None) -> str:
    """The options for reading a file for which there can be no shared memory.

    An immutable file has no log. If there is one, SQLite keeps its index in the heap, which it does
    only without locks and in exclusive mode.
    """
    if seen is None:
        return ""
    _file, log = seen
    return "&immutable=1" if log == _NO_FILE else "&vfs=unix-none"


def _check_thaw(path: Path, connection: object, *_: object) -> None:
    """Make the pool open another connection once the file has changed, or can change."""
    if isinstance(connection, _Frozen) and connection.seen != _frozen(path):
        raise sqlalchemy.exc.DisconnectionError("the file can be written again")


def _check_unchanged(path: Path, connection: Connection) -> None:
    """Refuse data that were read without a lock while another process wrote."""
    driver_connection = connection.connection.driver_connection
    if isinstance(driver_connection, _Frozen) and driver_connection.seen != _frozen(path):
        raise sqlite3.OperationalError(CHANGED)


def _frozen(path: Path) -> tuple[Stamp, Stamp] | None:
    """The stamps of a file and its log, or None if shared memory exists or can be created."""
    file = path.resolve()
    log, shared_memory = (file.with_name(file.name + end) for end in ("-wal", "-shm"))
    if os.access(file.parent, os.W_OK) or shared_memory.exists():
        return None
    return _stamp(file), _stamp(log)


def _stamp(path: Path) -> Stamp:
    """A value that changes when a file is written; an empty file counts as missing."""
    try:
        status = path.stat()
    except OSError:
        return _NO_FILE
    return (status.st_ino, status.st_size, status.st_mtime_ns) if status.st_size else _NO_FILE


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _set_pragmas(pragmas: Sequence[str]) -> Callable[[Any, object], None]:
    def set_pragmas(connection: Any, _: object) -> None:  # noqa: ANN401 - a DBAPI connection
        if isinstance(connection, _Frozen):
            connection.execute("PRAGMA locking_mode=EXCLUSIVE").close()
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    return set_pragmas


def _begin_reading(connection: Connection) -> None:
    # Not through SQLAlchemy, whose execution would cost as much as three statements.
    connection.connection.cursor().execute("BEGIN")


# Errors of the store, each of which is both the ledger's and the eventsourcing package's.

_DAMAGED = ("malformed", "not a database")
_NO_TEXT = "Could not decode to UTF-8"  # and goes on with the text
"""Parts of SQLite's messages for a file with damaged bytes."""

_ADVICE = {
    "unable to open database file": "; `engagement doctor` shows who may read it",
    "disk I/O error": "; its disk is full or failing, `engagement doctor` shows how much is free",
    "attempt to write a readonly database": "; `engagement doctor` shows who may write it",
    CHANGED: "; ask again",
}


_NO_TYPE = "Error binding parameter", "cannot adapt type"
"""The messages of sqlite3 and psycopg for a value of an unknown type."""


class StoreUnavailableError(LedgerUnavailableError, persistence.OperationalError):
    """The database, or a file beside it, cannot be opened, read or written."""


class StoreDamagedError(LedgerDamagedError, persistence.OperationalError):
    """Data in the file cannot be read."""


class StoreFullError(DiskFullError, persistence.OperationalError):
    """No space is left on the disk that holds the database."""


class StoreConflictError(LedgerError, persistence.IntegrityError):
    """The database refused a change that violates its constraints."""


class StoreRefusedError(LedgerError, persistence.DataError):
    """A value has a type or size that no column can hold."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Translate an OSError into a StoreUnavailableError that begins with `what`."""
    try:
        yield
    except OSError as error:
        message = f"{what}: {error.strerror}"
        raise StoreUnavailableError(message) from error


class Translated:
    """A block in which errors of a database driver become those above."""

    def __init__(self, driver: Any) -> None:  # noqa: ANN401 - a DBAPI module
        """Translate what `driver` raises, and SQLAlchemy for it."""
        self._driver = driver

    def __enter__(self) -> None:
        """Enter the block; the same one may be entered by many threads."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise the translation of `error`, if it has one."""
        translation = None if error is None else self._translation(error)
        if translation is not None:
            raise translation from error

    def _translation(self, error: BaseException) -> Exception | None:
        if isinstance(error, MultipleResultsFound | NoResultFound):
            return StoreDamagedError("a row that must exist once is missing or duplicated")
        if isinstance(error, UnicodeDecodeError):  # the driver's, of SQLite's own words
            return StoreDamagedError("a text in it is not in UTF-8")
        if isinstance(error, DBAPIError):
            error = error.orig or error
        elif not isinstance(error, self._driver.Error):
            return None
        if isinstance(error, self._driver.IntegrityError):
            return StoreConflictError(str(error))
        is_unsuitable = any(each in str(error) for each in _NO_TYPE)
        if is_unsuitable or isinstance(error, self._driver.DataError):
            return StoreRefusedError("the database cannot hold a value of this type or size")
        return _failure(str(error))


def _failure(message: str) -> Exception:
    if _NO_TEXT in message:
        return StoreDamagedError("a text in it is not in UTF-8")
    if any(each in message for each in _DAMAGED):
        return StoreDamagedError(message.splitlines()[0])
    if "disk is full" in message:
        return StoreFullError("the disk that holds the ledger is full")
    reason = message.splitlines()[0]
    return StoreUnavailableError(f"the ledger's database failed: {reason}{_ADVICE.get(reason, '')}")


# The lock that keeps processes from writing at the same time.

PATIENCE_SECONDS = 60.0

_FIRST_PAUSE_SECONDS = 0.000_1
_LONGEST_PAUSE_SECONDS = 0.005


class FileLock:
    """An exclusive lock between processes, on a file beside the database.

    The kernel releases it when the process that holds it ends, in any way.
    It does not exclude threads of one process, which share its descriptor.
    """

    def __init__(self, path: Path, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Guard the database at `path`; the lock's file is created when first needed."""
        self._path = path
        self._patience_seconds = patience_seconds
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        """Take the lock, waiting at most for `patience_seconds`.

        Raises StoreUnavailableError after that, and if the file cannot be opened or locked.
        """
        pause = _FIRST_PAUSE_SECONDS
        deadline: float | None = None
        while not self._is_taken():
            deadline = deadline or time.monotonic() + self._patience_seconds
            if time.monotonic() > deadline:
                waited = f"{self._patience_seconds:g} seconds"
                message = f"another process has held the ledger for {waited}"
                raise StoreUnavailableError(message)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        try:
            fcntl.flock(self._opened(), fcntl.LOCK_UN)
        except OSError:
            self.close()  # which also releases the lock

    def close(self) -> None:
        """Close the file; it is opened again when the lock is."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):  # it may be closed because of an error
                os.close(descriptor)

    def _is_taken(self) -> bool:
        descriptor = self._opened()
        try:
            return _locked(descriptor)
        except OSError as error:
            self.close()  # the next attempt reopens the file
            message = f"cannot lock the file beside the ledger: {error.strerror}"
            raise StoreUnavailableError(message) from error

    def _opened(self) -> int:
        if self._descriptor is None:
            folder = self._path.parent
            with explained(f"cannot make the folder {folder}"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            real = followed(self._path)  # one lock for one file, regardless of links
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            with explained("cannot write beside the ledger"):
                self._descriptor = os.open(real.with_name(real.name + ".lock"), flags, 0o600)
        return self._descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, InterruptedError):
        return False
    return True


def followed(path: Path) -> Path:
    """Return the target of a symbolic link, and any other path as it is.

    A link that cannot be resolved is returned as well: opening it raises the error.
    """
    try:
        return path.resolve() if path.is_symlink() else path
    except (OSError, RuntimeError):  # such as a name that is too long, or a link to itself
        return path
