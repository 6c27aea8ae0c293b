"""The partials of the hot events."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, bindparam, select

from ledger.clock_corrections import Corrections
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


def _partials(connection: Connection, cursor: Any) -> Iterator[pa.Table]:  # noqa: ANN401 - a DBAPI cursor
    known = corrections(connection)
    while rows := cursor.fetchmany(_READ_AT_ONCE):
        yield partial_of_rows([_corrected(row, known) for row in rows] if known else rows)


def _corrected(row: Sequence[Any], known: Corrections) -> tuple[Any, ...]:
    account, issue, occurred, position, recorded, *rest = row
    occurred, recorded = known.instants(position, occurred, recorded)
    return account, issue, occurred, position, recorded, *rest
