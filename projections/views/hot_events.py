"""The hot events by engagement: as partials, or one by one."""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, bindparam, select, tuple_

from ledger.clock_corrections import Corrections
from ledger.events import EventRow
from ledger.store.corrections import corrections
from ledger.store.statements import Statement
from ledger.store.tables import events, streams
from projections.views.accounts import AFTER_ALL, BEFORE_ALL, IN_SPAN, bytes_of
from projections.views.partials import partial_of_rows

_BY_ENGAGEMENT = (
    select(
        streams.c.originator_id,
        events.c.issue_id,
        events.c.occurred_at,
        events.c.position,
        events.c.recorded_at,
        events.c.kind,
        events.c.linear_id,
        events.c.score,
    )
    .join(streams, streams.c.id == events.c.stream)
    .where(events.c.issue_id.is_not(None))
    .order_by(streams.c.originator_id, events.c.issue_id, events.c.position)
)
_OF_SPAN = Statement(
    _BY_ENGAGEMENT.where(IN_SPAN, events.c.position <= bindparam("through")),
    "after",
    "upto",
    "through",
)
_touching = events.alias()
_TOUCHED = select(_touching.c.stream, _touching.c.issue_id).where(
    _touching.c.issue_id.is_not(None), _touching.c.position <= bindparam("last")
)
_OF_TOUCHED = Statement(
    _BY_ENGAGEMENT.where(
        events.c.position > bindparam("position"),
        tuple_(events.c.stream, events.c.issue_id).in_(_TOUCHED),
    ),
    "position",
    "last",
)

_READ_AT_ONCE = 16_384


def hot_partials(
    connection: Connection,
    after: str = BEFORE_ALL,
    upto: str = AFTER_ALL,
    through: int = sys.maxsize,
) -> Iterator[pa.Table]:
    """Yield the partials of the hot events of some accounts, up to a position."""
    cursor = _OF_SPAN.run(connection, bytes_of(after), bytes_of(upto), through)
    return _partials(connection, cursor)


def touched_partials(connection: Connection, last: int) -> Iterator[pa.Table]:
    """Yield the partials of the events after a position, of engagements with hot ones up to it."""
    return _partials(connection, _OF_TOUCHED.run(connection, last, last))


def _partials(connection: Connection, cursor: Any) -> Iterator[pa.Table]:  # noqa: ANN401 - a DBAPI cursor
    known = corrections(connection)
    while rows := cursor.fetchmany(_READ_AT_ONCE):
        yield partial_of_rows([_corrected(row, known) for row in rows] if known else rows)


def _corrected(row: Sequence[Any], known: Corrections) -> tuple[Any, ...]:
    account, issue, occurred, position, recorded, *rest = row
    occurred, recorded = known.instants(position, occurred, recorded)
    return account, issue, occurred, position, recorded, *rest


def touched_events(connection: Connection, last: int) -> Iterator[tuple[bytes, list[EventRow]]]:
    """Yield the hot events of each engagement that has some up to a position, by position.

    Beside each stands the account's UUID.
    """
    rows, known = _OF_TOUCHED.run(connection, 0, last), corrections(connection)
    for (account, issue), group in groupby(rows, key=itemgetter(0, 1)):
        yield (
            account,
            known.of(
                [
                    EventRow(position, 0, issue, kind, at, linear_id, score, recorded_at)
                    for _, _, at, position, recorded_at, kind, linear_id, score in group
                ]
            ),
        )
