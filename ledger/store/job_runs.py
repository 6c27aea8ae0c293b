"""What scheduled jobs have done, by their logical days; each day of a job is there once."""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from ledger.instants import Instant
from ledger.store import tables
from ledger.store.checksums import with_checksum
from ledger.store.database import Database
from ledger.store.decoding import decoding
from ledger.store.file_lock import FileLock, followed
from ledger.store.head import Head
from ledger.store.statements import Statement

_t = tables.job_runs

_RUNS = select(_t.c.day, _t.c.ran_at, _t.c.counted).where(_t.c.job == bindparam("job"))
_DAYS = Statement(_RUNS.order_by(_t.c.day), "job")
_LATEST_FIRST = Statement(_RUNS.order_by(_t.c.day.desc()), "job")
_INSERT = Statement(insert(_t), *_t.c.keys())
_LAST_RAN_AT = Statement(select(func.max(_t.c.ran_at)))
_TAKE_BACK = Statement(delete(_t).where(_t.c.ran_at > bindparam("at")), "at")


class Run(NamedTuple):
    """What a job did for one of its days: when it ran, and how many it counted."""

    day: dt.date
    ran_at: Instant
    counted: int


def last_run(database: Database, job: str) -> Run | None:
    """Return the run for the latest day that is done, if any is."""
    with database.read() as connection:
        row = _LATEST_FIRST.run(connection, job).fetchone()
    return None if row is None else Run(_day(row[0]), *row[1:])


def last_ran_at(connection: Connection) -> Instant | None:
    """Return when any job last ran, or None."""
    ran_at: Instant | None = _LAST_RAN_AT.run(connection).fetchone()[0]
    return ran_at


def take_back_runs(connection: Connection, after: Instant) -> int:
    """Delete the runs after an instant, so that their days are due again; return their number."""
    return int(_TAKE_BACK.run(connection, after).rowcount)


def days_done(database: Database, job: str) -> list[dt.date]:
    """Return the days that are done, the earliest first."""
    with database.read() as connection:
        return [_day(row[0]) for row in _DAYS.run(connection, job)]


def note_runs(
    database: Database, job: str, days: Sequence[dt.date], ran_at: Instant, counted: int
) -> list[dt.date]:
    """Note that `days` are done, all of them or none, and return those that were not before.

    What was noted before stays as it is. When this returns, it survives a power cut.
    """
    with database.write() as connection:
        Head.read(connection)  # whoever notes takes turns, also where several may write at once
        known = {row[0] for row in _DAYS.run(connection, job)}
        new = [day for day in dict.fromkeys(days) if day.isoformat() not in known]
        rows = [(job, day.isoformat(), ran_at, counted) for day in new]
        _INSERT.run_many(connection, [with_checksum(_t.name, row) for row in rows])
    return new


def _day(text: str) -> dt.date:
    with decoding("the day of a job"):
        return dt.date.fromisoformat(text)


@contextmanager
def job_alone(
    database: Database, job: str, patience_seconds: float | None = None
) -> Iterator[None]:
    """Hold what the job holds, in every process on this ledger, while it runs.

    Raises LedgerUnavailableError where another one holds it for too long, by default for as long as
    a writer's patience lasts. Only for an SQLite file;
    elsewhere several may run at once, and each day is still noted once.
    """
    if database.path is None:
        yield
        return
    # Not the lock of the writers, for a job writes now and then and others may in between. It has
    # a descriptor of its own each time, so that threads of one process exclude each other too.
    real = followed(database.path)
    waiting = database.patience_seconds if patience_seconds is None else patience_seconds
    lock = FileLock(real.with_name(f"{real.name}.{job}"), waiting)
    try:
        with lock:
            yield
    finally:
        lock.close()
