"""Expiry: origins are deleted some days after their events were recorded; the events stay (R7)."""

from sqlalchemy import Connection, delete, select

from ledger.archive.columns import integers, recorded_at
from ledger.archive.segment_store import Archive
from ledger.instants import Instant
from ledger.store import tables
from ledger.store.clock_corrections import corrections
from ledger.store.database import Database
from ledger.store.segment_rows import segments

EXPIRED_AT_ONCE = 1_000
"""Rows per transaction, which bounds how long recording waits."""

_WHEN = ("position", "occurred_second", "occurred_microsecond", "recorded_after")

_e, _o = tables.events.c, tables.origins.c


def expire(database: Database, before: Instant) -> int:
    """Delete the origins of all events recorded before an instant; return their number."""
    with database.read() as connection:
        last = _last_before(connection, database.archive, before)
    oldest = select(_o.position).where(_o.position <= last).order_by(_o.position)
    statement = delete(tables.origins).where(_o.position.in_(oldest.limit(EXPIRED_AT_ONCE)))
    expired, count = 0, EXPIRED_AT_ONCE
    while count == EXPIRED_AT_ONCE:
        with database.write() as connection:
            count = connection.execute(statement).rowcount
        expired += count
    return expired


def _last_before(connection: Connection, archive: Archive, before: Instant) -> int:
    """The last position of an event that was recorded earlier, or 0.

    Effective instants rise with positions (R8), so the search begins at the end.
    """
    corrected = corrections(connection).last_before(before)
    return max(corrected, _last_written_before(connection, archive, before))


def _last_written_before(connection: Connection, archive: Archive, before: Instant) -> int:
    hot = select(_e.position).where(_e.recorded_at < before, _e.issue_id.is_not(None))
    last = connection.scalar(hot.order_by(_e.position.desc()).limit(1))
    if last is not None:
        return int(last)
    begun = [each for each in segments(connection) if each.first_recorded_at < before]
    if not begun:
        return 0
    segment = begun[-1]
    if segment.last_recorded_at < before:
        return segment.last_position
    groups = archive.row_groups(segment, _WHEN)
    return max(
        int(integers(each["position"])[recorded_at(each) < before].max(initial=0))
        for each in groups
    )
