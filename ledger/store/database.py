"""The database: a single writing connection, read-only readers, and one lock for all writers."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, make_url

from ledger.store.opt_outs import BarrierFile
from ledger.store.sqlite import (
    BEGIN_WRITING,
    PATIENCE_SECONDS,
    READING,
    WRITING,
    FileLock,
    StoreUnavailableError,
    Translated,
    engine_of,
    explained,
    followed,
)

if TYPE_CHECKING:
    from ledger.archive.segment_store import Archive

_log = logging.getLogger(__name__)

READERS_PATIENCE_SECONDS = 10.0

_REPLACED = (
    "the ledger's file was moved or replaced while it was open; end every program that uses it, "
    "put the right file in its place, and start again"
)

_PAUSE_SECONDS = 0.005
_CHECKPOINT_WAITS_MILLISECONDS = 100  # long enough for short reads to end


class Database:
    """Transactions on one database, SQLite or PostgreSQL, named by an SQLAlchemy URL.

    On SQLite every write, checkpoint and closing of a writer holds one file lock across processes:
    before 3.51.3 SQLite can lose commits when several connections write and checkpoint. Readers are
    opened read-only, so they never checkpoint.
    """

    def __init__(self, url: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Prepare to connect; raises LedgerUnavailableError for a URL that cannot be a ledger's.

        A writer waits at most `patience_seconds` for another process, then raises the same.
        """
        self.url = _url_of(url)
        self.patience_seconds = patience_seconds
        # `_guard` guards, among the threads of this process, `_writer` and `_driver` (the one
        # writing connection), `_log` (the write-ahead log's path and identity when it was first
        # written), and `_lock`, which does not exclude threads. It is reentrant, and always taken
        # before `_lock`: no thread waits for `_guard` while it holds the file lock.
        self._guard = RLock()
        self._writer: Connection | None = None
        self._driver: Any = None
        self._log: tuple[str, tuple[int, int] | None] | None = None
        # `_lock` guards the files against the writers of other processes: every write, checkpoint
        # and closing of a writer holds it. None where the database is a server.
        self._lock: FileLock | None = None
        # The identity of the file that was opened, written under `_guard` or before threads start,
        # and read by readers without it; a file with another identity is refused.
        self._file: tuple[int, int] | None = None
        # Set once, under `_guard`; a write that has begun by then ends before the connections
        # close.
        self._closed = False
        path = self.path
        self.barriers = None if path is None else BarrierFile(beside(path, "barriers"))
        if path is None:
            self._writers = self._readers = _server_engine(self.url)
        else:
            self._lock = FileLock(path, patience_seconds)
            self._writers = engine_of(path, WRITING, patience_seconds)
            self._readers = engine_of(path, READING, READERS_PATIENCE_SECONDS)
        self._dialect = self._writers.dialect
        self._translated = Translated(self._dialect.loaded_dbapi)

    @cached_property
    def path(self) -> Path | None:
        """The SQLite file, or None on another database."""
        if self.url.get_backend_name() != "sqlite":
            return None
        return Path(str(self.url.database))

    @cached_property
    def archive(self) -> "Archive":
        """The segments in the folder beside the file."""
        from ledger.archive.segment_store import Archive  # noqa: PLC0415 - loads Arrow

        return Archive(self.archive_folder)

    @property
    def archive_folder(self) -> Path | None:
        """The folder beside the file; None on another database."""
        return None if self.path is None else beside(self.path, "archive")

    @property
    def described(self) -> str:
        """The database's path, or its URL without a password."""
        return str(self.path or self.url.set(query={}).render_as_string(hide_password=True))

    def exists(self) -> bool:
        """Whether there is a database to read: a server, or a file that is not empty.

        Raises LedgerUnavailableError for a folder, and for a name that no file can have.
        """
        if self.path is None:
            return True
        with explained("cannot read the ledger"):
            if self.path.is_dir():
                message = f"{self.path} is a folder, not a file"
                raise StoreUnavailableError(message)
            return self.path.exists() and self.path.stat().st_size > 0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield the writing connection inside a transaction that commits at the end, or not at all.

        When the block is left without an error, its work survives a power cut. After an error while
        committing the outcome is unknown: trying again with the same source keys is safe.
        """
        self._check_open()
        with self._translated, self._guard, self._lock or nullcontext():
            connection = self._connected()
            try:
                if self.path is not None:
                    self._driver.execute(BEGIN_WRITING)
                    self._note_log()
                yield connection
                self._dialect.do_commit(self._driver)
            except BaseException as error:
                self._roll_back(connection, error)
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one unchanging moment of the database."""
        self._check_open()
        if self._is_moved() and self.exists():
            raise StoreUnavailableError(_REPLACED)
        with self._translated, self._readers.connect() as connection, connection.begin():
            yield connection

    def vacuum(self) -> None:
        """Rewrite the file from its rows, so that no copy of a deleted one is left in it.

        Writers wait meanwhile, readers do not; it needs about twice the file's size on the disk.
        """
        if self.path is not None:
            with self._writing() as connection:
                connection.execute("VACUUM").close()

    def free_share(self) -> float:
        """The unused share of the file, from 0 to 1."""
        with self.read() as connection:
            cursor = connection.connection.cursor()
            (free,) = cursor.execute("PRAGMA freelist_count").fetchone()
            (pages,) = cursor.execute("PRAGMA page_count").fetchone()
        return float(free / pages)

    def truncate_log(self) -> None:
        """Checkpoint everything into the file and empty the log.

        Writers can work between attempts. Raises LedgerUnavailableError if readers keep the log in
        use for longer than `patience_seconds`.
        """
        deadline = time.monotonic() + self.patience_seconds
        while not self._is_log_truncated():
            if time.monotonic() > deadline:
                message = f"a reader has held the log for {self.patience_seconds:g} seconds"
                raise StoreUnavailableError(message)
            time.sleep(_PAUSE_SECONDS)

    def log(self) -> bytes:
        """Read the log while no writer changes it; empty if there is none."""
        if self.path is None:
            return b""
        lock = self._lock if self._can_lock() else None
        with self._guard, lock or nullcontext():
            try:
                return self._log_path.read_bytes()
            except FileNotFoundError:
                return b""

    def _can_lock(self) -> bool:
        """Whether the lock can be taken; a read-only folder has no writers."""
        return self.path is not None and os.access(self.path.parent, os.W_OK)

    def _is_log_truncated(self) -> bool:
        if self.path is None:
            return True
        with self._writing() as connection:
            connection.execute(f"PRAGMA busy_timeout={_CHECKPOINT_WAITS_MILLISECONDS}").close()
            try:
                busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                waiting = int(self.patience_seconds * 1000)
                connection.execute(f"PRAGMA busy_timeout={waiting}").close()
        return not busy

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """Yield the driver's writing connection outside any transaction, under the lock."""
        self._check_open()
        with self._translated, self._guard, self._lock or nullcontext():
            self._connected()
            try:
                yield self._driver
            except BaseException:
                self._disconnect()
                raise

    def close(self) -> None:
        """Close every connection; under the lock, since closing the last one checkpoints.

        The writer goes last, so that an idle ledger is one file again.
        """
        with self._guard:
            self._closed = True
            self._readers.dispose()
            if self._writer is not None:
                with self._lock or nullcontext():
                    self._disconnect()
            self._writers.dispose()
            if self._lock is not None:
                self._lock.close()

    def _check_open(self) -> None:
        if self._closed:
            message = "the ledger is closed"
            raise StoreUnavailableError(message)

    def _connected(self) -> Connection:
        """Return the writing connection, under the lock.

        SQLAlchemy takes all that is done on it for one transaction. Ours begin and end past it,
        which costs less than half.
        """
        self._check_files()
        if self._writer is None:
            self._writer = self._connect()
            self._driver = self._writer.connection.driver_connection
        return self._writer

    def _connect(self) -> Connection:
        if self.path is not None:
            with explained(f"cannot write {self.path}"):
                self.path.touch(mode=0o600)  # users' texts are private to the owner
            self._file = _identity(self.path)
        return self._writers.connect()

    def hold(self) -> None:
        """Accept only the file that is at the path now, not one that replaces it later."""
        self._file = None if self.path is None else _identity(self.path)

    def _check_files(self) -> None:
        """Refuse to write to a file that is no longer at its path, since the data would be lost."""
        if self._is_moved():
            self._disconnect()
            self._readers.dispose()
            raise StoreUnavailableError(_REPLACED)
        if self._is_log_moved():
            self._save_log()

    def _is_moved(self) -> bool:
        return self._file is not None and self._file != _identity(str(self.url.database))

    def _is_log_moved(self) -> bool:
        path, identity = self._log or ("", None)
        return self._log is not None and identity != _identity(path)

    def _save_log(self) -> None:
        """Checkpoint a deleted write-ahead log into the database's file.

        The deleted file exists as long as a connection has it open. Always raises; the message says
        whether everything was saved, and otherwise what to do.
        """
        if self._log_path.exists() and self._log_path.stat().st_size > 0:
            message = f"{self._log_path} was replaced while the ledger was open; stop every process"
            raise StoreUnavailableError(message)
        busy, in_log, saved = self._driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy or in_log != saved:
            message = f"{self._log_path} was deleted, and a reader keeps it from being saved"
            raise StoreUnavailableError(message)
        self._readers.dispose()
        self._disconnect()
        _log.error("write-ahead log deleted", extra={"saved": True})
        message = f"{self._log_path} was deleted while it was in use; what it held has been saved"
        raise StoreUnavailableError(message)

    @property
    def _log_path(self) -> Path:
        real = followed(Path(str(self.url.database)))
        return real.with_name(f"{real.name}-wal")

    def _note_log(self) -> None:
        if self._log is None:
            self._log = str(self._log_path), _identity(self._log_path)

    def _roll_back(self, connection: Connection, error: BaseException) -> None:
        """Undo the transaction that `error` has ended."""
        try:
            self._dialect.do_rollback(self._driver)
        finally:
            if self._is_doubtful(connection, error):
                self._disconnect()

    def _is_doubtful(self, connection: Connection, error: BaseException) -> bool:
        """Whether to continue with a new connection.

        After an I/O error the driver's state is unsure; and a connection that was opened while the
        disk was read-only stays read-only.
        """
        driver = self._dialect.loaded_dbapi
        cause = getattr(error, "orig", error)
        is_fault = isinstance(cause, driver.Error) and not isinstance(cause, driver.IntegrityError)
        is_open = getattr(self._driver, "in_transaction", False)
        return connection.invalidated or is_fault or is_open

    def _disconnect(self) -> None:
        writer, self._writer, self._driver, self._log = self._writer, None, None, None
        if writer is not None:
            writer.invalidate()  # closes it without a rollback, which an error could prevent
            writer.close()


class Stamp(NamedTuple):
    """A writing connection, and how often others and it have changed the database."""

    driver: Any
    version: int
    changes: int

    def after_own_changes(self) -> "Stamp":
        """Return what it is at the end of the transaction at whose beginning it was read."""
        return Stamp(self.driver, self.version, self.driver.total_changes)


def stamp_of(connection: Connection) -> Stamp | None:
    """Return a value that changes with every write by others, even if it was rolled back.

    None if the database does not provide one.
    """
    if connection.dialect.name != "sqlite":
        return None
    driver: Any = connection.connection.driver_connection
    (version,) = driver.execute("PRAGMA data_version").fetchone()
    return Stamp(driver, version, driver.total_changes)


def _identity(path: Path | str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - path.stat() takes twice as long, twice a record
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _url_of(text: str) -> URL:
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (sqlalchemy.exc.ArgumentError, ValueError):  # their messages may contain a password
        message = "the database URL is not a valid SQLAlchemy URL, such as sqlite:///path"
        raise StoreUnavailableError(message) from None
    if backend != "sqlite" and "@" in f"{url.host}{url.database}":  # part of the password
        message = (
            "the database URL holds a character that must be written as %40 for @ or %2F for /"
        )
        raise StoreUnavailableError(message)
    file = url.database or ":memory:"
    is_local = not (url.host or url.username or url.password or url.query)
    is_plain = file != ":memory:" and "\0" not in file and Path(file).name and is_local
    if backend == "sqlite" and not is_plain:
        message = "an SQLite ledger is a plain file: sqlite:///path, without memory or options"
        raise StoreUnavailableError(message)
    return url


def beside(path: Path, what: str) -> Path:
    """A path beside a file, the same for every symbolic link to the file."""
    real = followed(path)
    return real.with_name(f"{real.name}.{what}")


def _server_engine(url: URL) -> Engine:
    try:
        return sqlalchemy.create_engine(url, paramstyle="format")
    except ImportError as error:
        message = f"the database URL asks for a driver that is not installed: {error.name}"
    except Exception:  # noqa: BLE001 - of a driver, whose message may repeat a password
        message = "the database URL names no database that can be connected to"
    raise StoreUnavailableError(message)
