"""Reading of a user's hidings."""

from typing import cast

from sqlalchemy import Connection, bindparam, select

from ledger import codec
from ledger.clock_corrections import Placed
from ledger.errors import LedgerDamagedError, UnknownTopicError
from ledger.events import HIDING, EngagementHidden
from ledger.store import tables
from ledger.store.clock_corrections import corrections
from ledger.store.decoding import stored_uuid
from ledger.store.statements import Statement

_e, _s, _a = tables.events.c, tables.streams, tables.accounts

_HIDINGS = Statement(
    select(_e.position, _s.c.originator_id, _e.version, _e.state)
    .join(_s, _s.c.id == _e.stream)
    .join(_a, _a.c.stream == _e.stream)
    .where(_a.c.user_id == bindparam("user_id"), tables.IS_HIDING)
    .order_by(_e.position),
    "user_id",
)


def hidings_of_user(connection: Connection, user_id: str) -> list[Placed[EngagementHidden]]:
    """Return the user's hidings with their effective instants, by position."""
    rows = _HIDINGS.run(connection, user_id).fetchall()
    if not rows:
        return []
    return list(corrections(connection).of_events([_read(*row) for row in rows]))


def _read(position: int, originator: bytes, version: int, state: bytes) -> Placed[EngagementHidden]:
    try:
        event = codec.decode(HIDING, stored_uuid(originator), version, state)
    except UnknownTopicError as error:
        message = f"the event at position {position} cannot be read"
        raise LedgerDamagedError(message) from error
    return position, cast("EngagementHidden", event)
