"""Reading back what was recorded of everybody who was not forgotten."""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from ledger.events import EventRow
from ledger.store import tables
from ledger.store.rows import FOLDED
from ledger.store.statements import Statement

_e, _a = tables.events, tables.accounts

_ROWS = Statement(
    select(*FOLDED).join(_a, _a.c.stream == _e.c.stream).where(_e.c.issue_id.is_not(None))
)
_USERS = Statement(select(_a.c.stream, _a.c.user_id, _a.c.display_name))
_FORGOTTEN = Statement(
    select(func.count())
    .select_from(_e)
    .where(_e.c.issue_id.is_not(None), _e.c.stream.not_in(select(_a.c.stream)))
)
_KEYS = Statement(select(func.count()).select_from(tables.sources))


class User(NamedTuple):
    """A user, and the number of the account."""

    stream: int
    user_id: str
    display_name: str | None


class Uncounted(NamedTuple):
    """What adds nothing: events of users who were forgotten, and keys that cannot count again."""

    forgotten: int
    source_keys: int


def rows_of_everybody(connection: Connection) -> list[EventRow]:
    """Return what folds read of all events that are somebody's, in no particular order."""
    return [EventRow(*row) for row in _ROWS.run(connection)]


def users(connection: Connection) -> list[User]:
    """Return all users with an account."""
    return [User(*row) for row in _USERS.run(connection)]


def uncounted(connection: Connection) -> Uncounted:
    """Return how much there is of both."""
    (forgotten,), (keys,) = (each.run(connection).fetchone() for each in (_FORGOTTEN, _KEYS))
    return Uncounted(forgotten, keys)
