"""Expiry: origins are deleted some time after their events were recorded; the events stay (R7)."""

from sqlalchemy import delete, select

from ledger.instants import Instant
from ledger.store import tables
from ledger.store.database import Database

EXPIRED_AT_ONCE = 1_000
"""Rows a transaction: whoever records meanwhile waits for no more."""

_e, _o = tables.events.c, tables.origins.c


def expire(database: Database, before: Instant) -> int:
    """Delete the origins of all events that were recorded before an instant; return how many."""
    # Instants of recording rise with positions (R8), so the last one before is found from the end.
    recorded = select(_e.position).where(_e.recorded_at < before)
    with database.read() as connection:
        last = connection.scalar(recorded.order_by(_e.position.desc()).limit(1))
    if last is None:
        return 0
    oldest = select(_o.position).where(_o.position <= last).order_by(_o.position)
    statement = delete(tables.origins).where(_o.position.in_(oldest.limit(EXPIRED_AT_ONCE)))
    expired, count = 0, EXPIRED_AT_ONCE
    while count == EXPIRED_AT_ONCE:
        with database.write() as connection:
            count = connection.execute(statement).rowcount
        expired += count
    return expired
