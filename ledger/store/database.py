"""One database: a single writing connection, readers that never write, and one lock for writers."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import RLock
from typing import Any

import sqlalchemy
from eventsourcing import persistence
from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.pool import NullPool, QueuePool

from ledger.errors import DiskFullError, LedgerError, LedgerUnavailableError

LOCK_TIMEOUT_SECONDS = 60
READERS_AT_ONCE = 16

_FIRST_PAUSE_SECONDS = 0.000_1
_LONGEST_PAUSE_SECONDS = 0.005

_PRAGMAS = (
    "foreign_keys=ON",
    "secure_delete=ON",  # without it a deleted text stays readable in the file
    "busy_timeout=10000",
    "cache_size=-32768",  # KiB; a replay sorts in it before it needs the disk
    "fullfsync=ON",  # macOS: a sync reaches the drive, not only its cache
    "synchronous=FULL",  # NORMAL loses acknowledged commits when the power fails
)


class StoreUnavailableError(LedgerUnavailableError, persistence.OperationalError):
    """A failure of the database, in the words of the ledger and of the eventsourcing package."""


class StoreFullError(DiskFullError, persistence.OperationalError):
    """No space left, in the words of both."""


class StoreConflictError(LedgerError, persistence.IntegrityError):
    """The database refused what breaks its rules, in the words of both."""


class FileLock:
    """An exclusive lock between processes, on a file beside the database.

    It is the kernel's: it ends with the process that holds it, however that process ends.
    """

    def __init__(self, path: Path) -> None:
        """Guard the database at `path`; the lock's file is made when it is first needed."""
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        """Take the lock, waiting at most LOCK_TIMEOUT_SECONDS."""
        pause = _FIRST_PAUSE_SECONDS
        deadline: float | None = None
        descriptor = self._opened()
        while not _locked(descriptor):
            deadline = deadline or time.monotonic() + LOCK_TIMEOUT_SECONDS
            if time.monotonic() > deadline:
                message = f"another process has held the ledger for {LOCK_TIMEOUT_SECONDS} seconds"
                raise StoreUnavailableError(message)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        fcntl.flock(self._opened(), fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; it is opened again when the lock is."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        if self._descriptor is None:
            _make_folder(self._path.parent)
            try:
                real = self._path.resolve()  # one lock for one file, whichever link leads to it
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
                self._descriptor = os.open(real.with_name(real.name + ".lock"), flags, 0o600)
            except OSError as error:
                message = f"cannot write beside the ledger: {error.strerror}"
                raise StoreUnavailableError(message) from error
        return self._descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Database:
    """Transactions on one database, SQLite or PostgreSQL, named by an SQLAlchemy URL.

    On SQLite every write, checkpoint and closing of a writer holds one file lock across processes:
    before 3.51.3 SQLite can lose commits when several connections write and checkpoint. Readers are
    opened read-only, so they never checkpoint.
    """

    def __init__(self, url: str) -> None:
        """Prepare to connect; raises LedgerUnavailableError for a URL that cannot be a ledger's."""
        self.url = _url_of(url)
        self._guard = RLock()
        self._closed = False
        self._writer: Connection | None = None
        self._lock: FileLock | None = None
        path = self.path
        if path is None:
            self._writers = self._readers = _server_engine(self.url)
        else:
            self._lock = FileLock(path)
            self._writers = _sqlite_engine(path, "rwc", "BEGIN IMMEDIATE", NullPool)
            self._readers = _sqlite_engine(path, "ro", "BEGIN", QueuePool)

    @property
    def path(self) -> Path | None:
        """The SQLite file, or None on another database."""
        if self.url.get_backend_name() != "sqlite":
            return None
        return Path(str(self.url.database))

    @property
    def described(self) -> str:
        """Where the database is, without a password."""
        return str(self.path or self.url.render_as_string(hide_password=True))

    def exists(self) -> bool:
        """Tell whether there is something to read: a server, or a file that is not empty.

        Raises LedgerUnavailableError for a folder, and for a name that no file can have.
        """
        if self.path is None:
            return True
        try:
            if self.path.is_dir():
                message = f"{self.path} is a folder, not a file"
                raise StoreUnavailableError(message)
            return self.path.exists() and self.path.stat().st_size > 0
        except OSError as error:
            message = f"cannot read the ledger: {error.strerror}"
            raise StoreUnavailableError(message) from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield the writing connection inside a transaction that commits at the end, or not at all.

        When the block is left without an error, its work survives a power cut. An error while
        committing means that nobody knows: trying again with the same source keys is safe.
        """
        self._check_open()
        with self._guard, self._lock or nullcontext(), self._translated():
            connection = self._connected()
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                # SQLAlchemy rolled back; what state the driver is in after an I/O error is unsure.
                if connection.invalidated or not _usable(connection):
                    self._disconnect()
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one unchanging moment of the database."""
        self._check_open()
        with self._translated(), self._readers.connect() as connection, connection.begin():
            yield connection

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
        if self._writer is None:
            if self.path is not None:
                self.path.touch(mode=0o600)  # what people said is for nobody else to read
            self._writer = self._writers.connect()
        return self._writer

    def _disconnect(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        driver = self._writers.dialect.loaded_dbapi
        try:
            yield
        except (driver.Error, sqlalchemy.exc.DBAPIError) as error:
            raise _translation(getattr(error, "orig", error) or error, driver) from error


def _url_of(text: str) -> URL:
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except sqlalchemy.exc.ArgumentError:
        message = "the database URL is not of the form that SQLAlchemy reads, sqlite:///path say"
        raise StoreUnavailableError(message) from None
    file = url.database or ":memory:"
    if backend == "sqlite" and (file == ":memory:" or "\0" in file or url.query):
        message = "an SQLite ledger is a plain file: sqlite:///path, without memory or options"
        raise StoreUnavailableError(message)
    return url


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the folder {folder}: {error.strerror}"
        raise StoreUnavailableError(message) from error


def _server_engine(url: URL) -> Engine:
    try:
        return sqlalchemy.create_engine(url, paramstyle="format")
    except (ImportError, sqlalchemy.exc.ArgumentError) as error:
        message = f"cannot connect to {url.get_backend_name()}: {error}"
        raise StoreUnavailableError(message) from error


def _sqlite_engine(path: Path, mode: str, begin: str, pool: type[Any]) -> Engine:
    query = {"mode": mode, "uri": "true"}
    if mode == "ro" and _is_archived(path):
        query["immutable"] = "1"
    location = URL.create("sqlite", database=f"file:{_escaped(path)}", query=query)
    sizes = {"pool_size": READERS_AT_ONCE, "max_overflow": -1} if pool is QueuePool else {}
    engine = sqlalchemy.create_engine(
        location,
        poolclass=pool,
        # The driver must open no transaction of its own: it would not begin one for a SELECT.
        connect_args={"isolation_level": None, "check_same_thread": False},
        **sizes,
    )
    event.listen(engine, "connect", _set_pragmas(journal=mode != "ro"))
    event.listen(engine, "begin", _beginner(begin))
    return engine


def _is_archived(path: Path) -> bool:
    """Tell whether the file lies where nobody can write, so that SQLite must do without locks."""
    log = path.with_name(path.name + "-wal")
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY) and not log.exists()
    except OSError:
        return False


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _set_pragmas(*, journal: bool) -> Callable[[Any, object], None]:
    def set_pragmas(connection: Any, _: object) -> None:  # noqa: ANN401 - a DBAPI connection
        if journal:
            connection.execute("PRAGMA journal_mode=WAL").close()
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()

    return set_pragmas


def _beginner(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        # Past SQLAlchemy, whose execution would cost as much as three of the statements inside.
        connection.connection.cursor().execute(statement)

    return begin


def _usable(connection: Connection) -> bool:
    driver_connection = connection.connection.driver_connection
    return not getattr(driver_connection, "in_transaction", False)


def _translation(error: BaseException, driver: Any) -> Exception:  # noqa: ANN401 - a DBAPI module
    if isinstance(error, driver.IntegrityError):
        return StoreConflictError(str(error))
    message = str(error)
    if "disk is full" in message:
        return StoreFullError("the disk that holds the ledger is full")
    return StoreUnavailableError(f"the ledger's database failed: {message.splitlines()[0]}")
