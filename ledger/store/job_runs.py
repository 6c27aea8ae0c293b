"""The runs of scheduled jobs, by logical day; each day of a job is noted once."""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select

from ledger.instants import Instant
from ledger.store import tables
from ledger.store.database import Database
from ledger.store.rows import change, with_checksum
from ledger.store.sqlite import FileLock, followed
from ledger.store.statements import Query, Statement, decoding, value
from ledger.store.streams import Head

_t = tables.job_runs


class Run(NamedTuple):
    """The run of a job for one of its days: its instant, and the number that it counted."""

    day: dt.date
    ran_at: Instant
    counted: int


def _run(day: str, ran_at: Instant, counted: int) -> Run:
    with decoding("the day of a job"):
        return Run(dt.date.fromisoformat(day), ran_at, counted)


_RUNS = select(*_t.c[Run._fields]).where(_t.c.job == bindparam("job"))
_EARLIEST_FIRST = Query(_run, _RUNS.order_by(_t.c.day), "job")
_LATEST_FIRST = Query(_run, _RUNS.order_by(_t.c.day.desc()), "job")
_LAST_RAN_AT: Query[Instant | None] = Query(value, select(func.max(_t.c.ran_at)))
_INSERT = Statement(insert(_t), *_t.c.keys())
_TAKE_BACK = Statement(delete(_t).where(_t.c.ran_at > bindparam("at")), "at")


class JobRuns:
    """The runs of scheduled jobs in one ledger."""

    def __init__(self, database: Database) -> None:
        """Note runs in `database`."""
        self._database = database

    def last(self, job: str) -> Run | None:
        """The run for the latest day that is done, or None."""
        with self._database.read() as connection:
            return _LATEST_FIRST.first(connection, job)

    def last_ran_at(self) -> Instant | None:
        """The instant of the latest run of any job, or None."""
        with self._database.read() as connection:
            return last_ran_at(connection)

    def days(self, job: str) -> list[dt.date]:
        """The days that are done, the earliest first."""
        with self._database.read() as connection:
            return [run.day for run in _EARLIEST_FIRST.all(connection, job)]

    def note(
        self, job: str, days: Sequence[dt.date], ran_at: Instant, counted: int
    ) -> list[dt.date]:
        """Note that `days` are done, all of them or none, and return those that were not before.

        Days that were noted before stay unchanged. When this returns, the notes survive a power
        cut.
        """
        with self._database.write() as connection:
            Head.read(connection)  # serializes notes, even if the database allows several writers
            known = {run.day for run in _EARLIEST_FIRST.all(connection, job)}
            new = [day for day in dict.fromkeys(days) if day not in known]
            rows = [(job, day.isoformat(), ran_at, counted) for day in new]
            _INSERT.run_many(connection, [with_checksum(_t.name, row) for row in rows])
        return new

    def advance(self, job: str, day: dt.date, ran_at: Instant, counted: int) -> None:
        """Note how far a job has come in the work that it began on a day, unless it was further.

        When this returns, the note survives a power cut.
        """
        with self._database.write() as connection:
            Head.read(connection)  # as in `note`
            key = (job, day.isoformat())
            last = next(
                (run for run in _EARLIEST_FIRST.all(connection, job) if run.day == day), None
            )
            if last is None:
                _INSERT.run(connection, *with_checksum(_t.name, (*key, ran_at, counted)))
            elif last.counted < counted:
                this = and_(
                    *(column == part for column, part in zip(_t.primary_key, key, strict=True))
                )
                change(connection, _t, this, ran_at=ran_at, counted=counted)

    def alone(self, job: str) -> AbstractContextManager[None]:
        """Hold the lock of a job, as `job_alone` does."""
        return job_alone(self._database, job)


def last_ran_at(connection: Connection) -> Instant | None:
    """The instant of the latest run of any job, or None."""
    return _LAST_RAN_AT.one(connection)


def take_back_runs(connection: Connection, after: Instant) -> int:
    """Delete the runs after an instant, so that their days are due again; return their number."""
    return int(_TAKE_BACK.run(connection, after).rowcount)


@contextmanager
def job_alone(
    database: Database, job: str, patience_seconds: float | None = None
) -> Iterator[None]:
    """Hold the lock of a job, which lets one process or thread at a time run it.

    Raises LedgerUnavailableError if another one holds it for longer than the patience, by default a
    writer's. Only for an SQLite file; elsewhere several may run at once, and each day is still
    noted once.
    """
    if database.path is None:
        yield
        return
    # Not the writers' lock: a job only writes now and then, and others may write in between. Each
    # call has its own descriptor, so that threads of one process exclude each other, too.
    real = followed(database.path)
    waiting = database.patience_seconds if patience_seconds is None else patience_seconds
    lock = FileLock(real.with_name(f"{real.name}.{job}"), waiting)
    try:
        with lock:
            yield
    finally:
        lock.close()
