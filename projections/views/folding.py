"""Folding the events of the ledger, sorted by engagement: one engagement in memory at a time."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple, cast

from sqlalchemy import Connection, and_, func, select

from ledger.events import EventRow
from ledger.store.rows import FOLDED
from ledger.store.statements import Statement
from ledger.store.tables import accounts, events
from projections.engagement import Engagement, fold

# Events of a user who was forgotten are nobody's: no account, so no engagement.
_FOLDABLE = and_(events.c.issue_id.is_not(None), events.c.stream.in_(select(accounts.c.stream)))

_EVENTS = Statement(
    select(*FOLDED).where(_FOLDABLE).order_by(events.c.stream, events.c.issue_id, events.c.position)
)
_COUNT = Statement(select(func.count()).select_from(events).where(_FOLDABLE))

# Rows from a cursor are plain tuples.
_KIND, _AT = map(EventRow._fields.index, ("kind", "occurred_at"))


class Stored(NamedTuple):
    """A row of the read model, but for what a policy makes of it."""

    id: int
    stream: int
    issue_id: str
    engagement: Engagement
    last_position: int | None
    scored_at: int


def folds(connection: Connection) -> Iterator[tuple[int, Stored]]:
    """Yield every engagement folded from its events, and how many those were."""
    for _, group in groupby(_EVENTS.run(connection), key=itemgetter(1, 2)):
        rows = cast("list[EventRow]", list(group))
        yield len(rows), fold_stored(rows)


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
