"""The tail: the events after the watermark of the live read model, which it has not folded.

Every answer merges the tail of its user, read in the same snapshot. Within a stream versions grow
with positions, so the tail of one user is one range of the index of versions, regardless of the
number of events.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, literal_column, select

from ledger.store.rows import FOLDED, folded_event
from ledger.store.statements import Statement
from ledger.store.tables import accounts, events
from projections.read_model.stored import Stored, fold_stored
from projections.read_model.tables import LIVE_NAME, STREAM_OF_USER, read_models

_e = events.c

_WATERMARK = (
    select(read_models.c.position)
    .where(read_models.c.name == literal_column(f"'{LIVE_NAME}'"))
    .scalar_subquery()
)

FOLDABLE = and_(_e.issue_id.is_not(None), _e.stream.in_(select(accounts.c.stream)))
"""The condition for events of engagements; those of forgotten users belong to no account."""


def _tail_of(stream: ColumnElement[Any]) -> ColumnElement[bool]:
    before = events.alias()
    last = select(func.max(before.c.version)).where(
        before.c.stream == stream, before.c.position <= _WATERMARK
    )
    first = func.coalesce(last.scalar_subquery() + literal_column("1"), literal_column("0"))
    return and_(_e.stream == stream, _e.version >= first, _e.issue_id.is_not(None))


_BY_ENGAGEMENT = (_e.stream, _e.issue_id, _e.position)
_of_user = select(*FOLDED).where(_tail_of(STREAM_OF_USER)).order_by(*_BY_ENGAGEMENT)
_OF_USER = Statement(_of_user, "user_id", "user_id")
_OF_ISSUE = Statement(
    _of_user.where(_e.issue_id == bindparam("issue")), "user_id", "user_id", "issue"
)
_OF_ALL = Statement(
    select(*FOLDED).where(_e.position > _WATERMARK, FOLDABLE).order_by(*_BY_ENGAGEMENT)
)
_COUNT = Statement(select(func.count()).where(_e.position > _WATERMARK, FOLDABLE))
_TOUCHES = Statement(
    select(func.count()).where(_tail_of(bindparam("stream")), _e.issue_id == bindparam("issue")),
    "stream",
    "stream",
    "issue",
)


def tail_of_user(
    connection: Connection, user_id: str, issue_id: str | None = None
) -> Iterator[Stored]:
    """Yield the folds of a user's tail, with one issue or with all."""
    if issue_id is None:
        return _folds(_OF_USER.run(connection, user_id, user_id))
    return _folds(_OF_ISSUE.run(connection, user_id, user_id, issue_id))


def tail_of_all(connection: Connection) -> Iterator[Stored]:
    """Yield the folds of all users' tails, in constant memory."""
    return _folds(_OF_ALL.run(connection))


def tail_count(connection: Connection) -> int:
    """The number of events of engagements in the tail."""
    (count,) = _COUNT.run(connection).fetchone()
    return int(count)


def is_in_tail(connection: Connection, stream: int, issue_id: str) -> bool:
    """Whether the tail has an event of the account interned as `stream` with the issue."""
    (count,) = _TOUCHES.run(connection, stream, stream, issue_id).fetchone()
    return bool(count)


def _folds(rows: Iterable[Sequence[Any]]) -> Iterator[Stored]:
    by_engagement = groupby(map(folded_event, rows), attrgetter("stream", "issue_id"))
    return (fold_stored(list(group)) for _, group in by_engagement)
