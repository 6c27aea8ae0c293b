"""SQLite's connections: one kind that writes, one that only reads, set up to lose nothing."""

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

_PRAGMAS = (
    "foreign_keys=ON",
    "secure_delete=ON",  # without it a deleted text stays readable in the file
    "cache_size=-32768",  # KiB; a replay sorts in it before it needs the disk
    "fullfsync=ON",  # macOS: a sync reaches the drive, not only its cache
    "synchronous=FULL",  # NORMAL loses acknowledged commits when the power fails
)


class Access(NamedTuple):
    """What tells the writer's connection from the readers' ones."""

    mode: str
    begin: str
    pool: type[Any]


WRITING = Access("rwc", "BEGIN IMMEDIATE", NullPool)
READING = Access("ro", "BEGIN", QueuePool)


def engine_of(path: Path, access: Access, patience_seconds: float) -> Engine:
    """Return an engine on the file at `path`; its connections wait so long for others' locks."""
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
    event.listen(engine, "begin", _beginner(access.begin))
    if access is READING:
        event.listen(engine, "checkout", partial(_check_thaw, path))
    return engine


class _Frozen(sqlite3.Connection):
    """A connection to a file that cannot change, which does without locks and the log."""


def _connected(path: Path, access: Access) -> sqlite3.Connection:
    is_frozen = access is READING and _is_archived(path)
    options = f"mode={access.mode}" + ("&immutable=1" if is_frozen else "")
    return sqlite3.connect(
        f"file:{_escaped(path)}?{options}",
        uri=True,
        # The driver must open no transaction of its own: it would not begin one for a SELECT.
        isolation_level=None,
        check_same_thread=False,
        factory=_Frozen if is_frozen else sqlite3.Connection,
    )


def _check_thaw(path: Path, connection: object, *_: object) -> None:
    """Have the pool open another connection once the file can change again."""
    if isinstance(connection, _Frozen) and not _is_archived(path):
        raise sqlalchemy.exc.DisconnectionError("the file can be written again")


def _is_archived(path: Path) -> bool:
    """Tell whether the file lies where nobody can write, so that SQLite must do without locks."""
    log = path.with_name(path.name + "-wal")
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY) and not log.exists()
    except OSError:
        return False


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _set_pragmas(pragmas: Sequence[str]) -> Callable[[Any, object], None]:
    def set_pragmas(connection: Any, _: object) -> None:  # noqa: ANN401 - a DBAPI connection
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    return set_pragmas


def _beginner(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        # Past SQLAlchemy, whose execution would cost as much as three of the statements inside.
        connection.connection.cursor().execute(statement)

    return begin
