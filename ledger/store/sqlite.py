"""SQLite connections for writing and for reading only, configured for durability."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import NullPool, QueuePool

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
    return "&immutable=1" if seen[1] == _NO_FILE else "&vfs=unix-none"


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
