"""Folding the events of the ledger: sorted by engagement, or as they were recorded."""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple, cast

from sqlalchemy import Connection, and_, bindparam, func, select

from ledger.events import EventRow
from ledger.store.rows import FOLDED
from ledger.store.statements import Statement
from ledger.store.tables import accounts, events, streams
from projections.engagement import Engagement, fold

# Events of a user who was forgotten are nobody's: no account, so no engagement.
_ACCOUNTS = select(accounts.c.stream)
_FOLDABLE = and_(events.c.issue_id.is_not(None), events.c.stream.in_(_ACCOUNTS))

_BY_ENGAGEMENT = Statement(
    select(*FOLDED)
    .where(
        events.c.issue_id.is_not(None),
        events.c.stream.in_(
            _ACCOUNTS.where(
                accounts.c.stream > bindparam("after"), accounts.c.stream <= bindparam("upto")
            )
        ),
    )
    .order_by(events.c.stream, events.c.issue_id, events.c.position),
    "after",
    "upto",
)
_RECORDED = Statement(
    select(*FOLDED)
    .where(
        events.c.position > bindparam("after"), events.c.position <= bindparam("upto"), _FOLDABLE
    )
    .order_by(events.c.position),
    "after",
    "upto",
)
_VERSIONS = Statement(
    select(streams.c.id, streams.c.version)
    .where(streams.c.id > bindparam("after"))
    .order_by(streams.c.id),
    "after",
)
_COUNT = Statement(select(func.count()).select_from(events).where(_FOLDABLE))

# Rows from a cursor are plain tuples.
_KIND, _AT = map(EventRow._fields.index, ("kind", "occurred_at"))

BEFORE_ALL, AFTER_ALL = 0, sys.maxsize
"""Numbers below and above those of all streams."""


class Stored(NamedTuple):
    """A row of the read model, but for what a policy makes of it."""

    id: int
    stream: int
    issue_id: str
    engagement: Engagement
    last_position: int | None
    scored_at: int


def folds(
    connection: Connection, after: int = BEFORE_ALL, upto: int = AFTER_ALL
) -> Iterator[tuple[int, Stored]]:
    """Yield every engagement of some streams folded from its events, and how many those were.

    They come by stream and issue, one in memory at a time; of the streams `after` < id <= `upto`.
    """
    rows = _BY_ENGAGEMENT.run(connection, after, upto)
    for _, group in groupby(rows, key=itemgetter(1, 2)):
        events_of_one = cast("list[EventRow]", list(group))
        yield len(events_of_one), fold_stored(events_of_one)


def last_stream(connection: Connection, after: int, events_at_least: int) -> int:
    """Return where a group of streams ends that have so many events, or AFTER_ALL."""
    total = 0
    for stream, version in _VERSIONS.run(connection, after):
        total += version + 1
        if total >= events_at_least:
            return cast("int", stream)
    return AFTER_ALL


def recorded(connection: Connection, after: int, upto: int) -> list[EventRow]:
    """Return what folds read of the events at the positions `after` < position <= `upto`."""
    return [EventRow(*row) for row in _RECORDED.run(connection, after, upto)]


def count(connection: Connection) -> int:
    """Return how many events `folds` folds."""
    number: int = _COUNT.run(connection).fetchone()[0]
    return number


def fold_stored(rows: Sequence[EventRow]) -> Stored:
    """Return the read model's row for the events of one user with one issue, by position."""
    position, stream, issue_id = rows[0][:3]
    scored_at = rows[-1][-1]
    return Stored(position, stream, issue_id, fold(rows), _last_position(rows), scored_at)


def _last_position(rows: Sequence[EventRow]) -> int | None:
    last: EventRow | None = None
    for row in rows:
        if row[_KIND] is not None and (
            last is None or (row[_AT], row[_KIND]) >= (last[_AT], last[_KIND])
        ):
            last = row
    return None if last is None else last[0]
