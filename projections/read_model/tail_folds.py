"""A long tail folded by engagement, some accounts at a time."""

import sys
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, bindparam, func, select

from ledger.store.clock_corrections import corrections
from ledger.store.statements import Statement
from ledger.store.tables import events
from projections.read_model.accounts import somebodys
from projections.read_model.full_fold import SAID, partial_of_all

_e = events.c
_IN_TAIL = (
    _e.issue_id.is_not(None),
    _e.position > bindparam("after"),
    _e.position <= bindparam("upto"),
)
_COUNTS = Statement(
    select(_e.stream, func.count()).where(*_IN_TAIL).group_by(_e.stream).order_by(_e.stream),
    "after",
    "upto",
)
_OF_STREAMS = Statement(
    select(_e.stream, *SAID)
    .where(*_IN_TAIL, _e.stream >= bindparam("first"), _e.stream <= bindparam("last"))
    .order_by(_e.position),
    "after",
    "upto",
    "first",
    "last",
)


def spans(connection: Connection, after: int, upto: int, at_once: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last stream of spans of the tail with so many events, or one's."""
    if upto - after <= at_once:
        yield 0, sys.maxsize
        return
    first, last, total = 0, 0, 0
    for stream, count in _COUNTS.run(connection, after, upto).fetchall():
        if total and total + count > at_once:
            yield first, last
            first, total = stream, 0
        last, total = stream, total + count
    yield first, last


def folded_span(
    connection: Connection, after: int, upto: int, span: tuple[int, int]
) -> Iterator[pa.Table]:
    """Yield the engagements of a span by their ids, as a partial with the column stream.

    They hold the events at the positions `after` < position <= `upto`, none of which is sealed.
    """
    cursor = _OF_STREAMS.run(connection, after, upto, *span)
    for partial in partial_of_all(connection, cursor, corrections(connection)):
        table = somebodys(connection, partial)
        yield table.take(pa.array(np.argsort(table["id"].to_numpy())))
