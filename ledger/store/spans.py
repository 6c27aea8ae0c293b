"""From when to when users were recorded at a place."""

from sqlalchemy import Connection, bindparam, func, select

from ledger.instants import Instant
from ledger.store import tables
from ledger.store.places import place_of
from ledger.store.statements import Statement

Span = tuple[Instant, Instant]

_e, _a = tables.events, tables.accounts

_SPANS = Statement(
    select(_a.c.user_id, func.min(_e.c.occurred_at), func.max(_e.c.occurred_at))
    .select_from(_e.join(_a, _a.c.stream == _e.c.stream))
    .where(_e.c.place == bindparam("place"))
    .group_by(_a.c.user_id),
    "place",
)


def spans_at(connection: Connection, chat_id: str) -> dict[str, Span]:
    """Return the first and last instant of each user's interactions in the chat, by user id.

    The chat may be named by a former id. It reads all events once, unless the chat is unknown.
    """
    place = place_of(connection, chat_id)
    if place is None:
        return {}
    rows = _SPANS.run(connection, place)
    return {user: (Instant(first), Instant(last)) for user, first, last in rows}
