"""Reading and recording of clock corrections (R8)."""

from typing import Protocol

import msgspec
from sqlalchemy import Connection, bindparam, func, literal_column, select

from ledger.commands import EARLIEST
from ledger.errors import ClockNotAheadError
from ledger.events import CLOCK, ClockCorrected, Correction, Corrections
from ledger.instants import DAY, Instant, iso
from ledger.store import tables
from ledger.store.database import Database
from ledger.store.job_runs import last_ran_at, take_back_runs
from ledger.store.opt_outs import correct_barriers, latest_barrier_at
from ledger.store.rows import INSERT_EVENT, change, event_row, opaque_values
from ledger.store.segment_rows import segments
from ledger.store.statements import Query, Statement, decoding, value
from ledger.store.streams import Head, Streams

_e, _s, _l = tables.events.c, tables.streams.c, tables.ledger.c

_own_stream = select(_s.id).join(tables.ledger, _l.originator_id == _s.originator_id)
_CORRECTIONS = Statement(
    select(*_e[Correction._fields]).where(
        _e.stream == _own_stream.scalar_subquery(), _e.topic == bindparam("topic")
    ),
    "topic",
)


_HEAD_AT: Query[Instant] = Query(value, select(tables.head.c.recorded_at))
_DAYS = Statement(
    select(func.min(_e.recorded_at), func.max(_e.recorded_at))
    .where(_e.position >= bindparam("first"))
    .group_by(_e.recorded_at // literal_column(str(DAY))),
    "first",
)


class Retimed(Protocol):
    """A projection that stores instants of events, or values that depend on them."""

    def retime(self, connection: Connection, database: Database) -> None:
        """Recompute the projection from effective instants, after a correction of the clock."""


def corrections(connection: Connection) -> Corrections:
    """All corrections in the snapshot of `connection`."""
    return Corrections(_found(connection))


def ahead_until(connection: Connection) -> Instant:
    """The latest instant in the ledger: of an event, a job run or a barrier."""
    others = last_ran_at(connection) or 0, latest_barrier_at(connection) or 0
    return Instant(max(_HEAD_AT.one(connection), *others))


def given_instants(connection: Connection) -> list[Instant]:
    """The first and the last `recorded_at` of each day since the last correction.

    Of a segment only the first and last instant are considered.
    """
    first = max((each.position for each in _found(connection)), default=0)
    days = _DAYS.run(connection, first).fetchall()
    sealed = [
        (each.first_recorded_at, each.last_recorded_at)
        for each in segments(connection)
        if each.first_position >= first
    ]
    return sorted(Instant(at) for span in (*sealed, *days) for at in span)


def correct(database: Database, projection: Retimed, at: Instant, reason: str) -> int:
    """Record that `at` is the right time; return the number of job days that are due again.

    The head and the barriers go back to `at`, and so do Linear's texts, which else no newer ones
    would replace. Later job runs are deleted, and `projection` is recomputed, all in one
    transaction. Raises ClockNotAheadError if nothing is ahead of `at`.
    """
    texts = tables.linear_texts
    with database.write() as connection:
        head = Head.read(connection)
        _check_ahead(at, ahead_until(connection))
        _append(connection, head, at, reason)
        days = take_back_runs(connection, at)
        correct_barriers(connection, database.barriers, at)
        change(connection, texts, texts.c.said_at > at, said_at=at)
        projection.retime(connection, database)
    return days


def _found(connection: Connection) -> list[Correction]:
    with decoding("a correction of the clock"):
        return msgspec.convert(_CORRECTIONS.run(connection, CLOCK).fetchall(), list[Correction])


def _check_ahead(at: Instant, until: Instant) -> None:
    if at < EARLIEST:
        message = f"the clock says {iso(at)}, which cannot be right; set it right first"
        raise ClockNotAheadError(message)
    if until <= at:
        message = f"the ledger is not ahead of the clock, which says {iso(at)}: nothing to repair"
        raise ClockNotAheadError(message)


def _append(connection: Connection, head: Head, at: Instant, reason: str) -> None:
    """Append the event, without which the database does not let the head's instant go back."""
    own_id, stream = Streams(connection).own()
    stream.version += 1
    event = ClockCorrected(own_id, stream.version, at, reason)
    values = opaque_values(head.next_position(), stream.id, event)
    head.write(connection)
    INSERT_EVENT.run(connection, *event_row(values))
    head.recorded_at = at
    head.write(connection)
