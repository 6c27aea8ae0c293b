"""Reading back what was recorded of one user."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, bindparam, select

from ledger import codec
from ledger.events import AccountEvent, EventRow
from ledger.store import tables
from ledger.store.rows import FOLDED, event_of, select_stored
from ledger.store.statements import Statement

_e, _a, _o = tables.events, tables.accounts, tables.origins


def _of_user(query: Select[Any]) -> Select[Any]:
    return query.join(_a, _a.c.stream == _e.c.stream).where(
        _a.c.user_id == bindparam("user_id"), _e.c.issue_id.is_not(None)
    )


_ROWS_OF_USER = Statement(_of_user(select(*FOLDED)), "user_id")
_SOURCED_ROWS_OF_ISSUE = Statement(
    _of_user(select(*FOLDED, _o.c.source))
    .outerjoin(_o, _o.c.position == _e.c.position)
    .where(_e.c.issue_id == bindparam("issue")),
    "user_id",
    "issue",
)
_HISTORY = Statement(
    _of_user(select_stored().add_columns(_o.c.context, _o.c.metadata, _o.c.source))
    .outerjoin(_o, _o.c.position == _e.c.position)
    .order_by(_e.c.occurred_at, _e.c.position),
    "user_id",
)

# The unique index on stream and version gives this order without sorting.
_ROWS_BY_USER = Statement(
    select(_a.c.user_id, _a.c.display_name, *FOLDED)
    .join(_a, _a.c.stream == _e.c.stream)
    .where(_e.c.issue_id.is_not(None))
    .order_by(_e.c.stream, _e.c.version)
)


class HistoryEntry(NamedTuple):
    """An event at its position, with what is still kept of its origin."""

    position: int
    event: AccountEvent
    origin: codec.Origin


class UserRows(NamedTuple):
    """What folds read of one user's events, as they were recorded."""

    user_id: str
    display_name: str | None
    rows: list[EventRow]


def rows_of_user(connection: Connection, user_id: str) -> list[EventRow]:
    """Return what folds read of the user's events, in no particular order."""
    return [EventRow(*row) for row in _ROWS_OF_USER.run(connection, user_id)]


def sourced_rows_of_issue(
    connection: Connection, user_id: str, issue_id: str
) -> list[tuple[EventRow, str | None]]:
    """Return what folds read of the user's events with one issue, each with its readable source.

    They come in no particular order; the source is None where there is none, or none any more.
    """
    rows = _SOURCED_ROWS_OF_ISSUE.run(connection, user_id, issue_id)
    return [(EventRow(*row), source) for *row, source in rows]


def rows_by_user(connection: Connection) -> Iterator[UserRows]:
    """Yield every user who has events, one in memory at a time."""
    by_user = groupby(_ROWS_BY_USER.run(connection), key=itemgetter(0, 1))
    for (user_id, display_name), rows in by_user:
        yield UserRows(user_id, display_name, [EventRow._make(row[2:]) for row in rows])


def history_of_user(connection: Connection, user_id: str) -> Iterator[HistoryEntry]:
    """Yield the user's events, the earliest first; at one instant as they were recorded."""
    for row in _HISTORY.run(connection, user_id):
        *stored, context, metadata, source = row
        raw = None if metadata is None else msgspec.Raw(metadata)
        yield HistoryEntry(row[0], event_of(stored), codec.Origin(context, raw, source))
