"""Retention: when origins expire, and when a file of the archive may be removed (R7)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from ledger.archive.columns import MOMENT_COLUMNS, integers, recorded_at
from ledger.archive.segment_files import is_content, range_of, segment_in
from ledger.archive.segment_store import Archive
from ledger.instants import Instant
from ledger.segment import Segment
from ledger.store import tables
from ledger.store.clock_corrections import corrections
from ledger.store.database import Database
from ledger.store.segment_rows import Retired, bound_retired, forget_retired, retired, segments

# Expiry: origins are deleted some days after their events were recorded; the events stay (R7).

EXPIRED_AT_ONCE = 1_000
"""Rows per transaction, which bounds how long recording waits."""

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
    groups = archive.row_groups(segment, MOMENT_COLUMNS)
    return max(
        int(integers(each["position"])[recorded_at(each) < before].max(initial=0))
        for each in groups
    )


# Sweeping the archive: a file is removed only if a segment is proven to hold its events.
#
# A file that the database does not know may be the only one that another database of this ledger
# has, such as a newer one that was lost: it is moved aside, with a warning. The caller holds the
# lock of compactions.

_log = logging.getLogger(__name__)

RETIRED_FOR = 3_600_000_000
"""In microseconds; a query that began before a merge may still read the replaced files."""


class Cleared(NamedTuple):
    """The outcome for files that the database does not know."""

    set_aside: int = 0
    freed_bytes: int = 0


def remove_retired(database: Database, now: Instant) -> int:
    """Remove unfinished files, and files that were replaced more than an hour ago.

    Returns the number of bytes freed. A replaced file stays until the one that replaced it is
    verified byte for byte. If a clock that was ahead dated it, it counts as replaced now.
    """
    archive = database.archive
    freed = archive.files.remove_unfinished()
    with database.write() as connection:
        bound_retired(connection, now)
        kept, old = segments(connection), retired(connection)
    due = [each for each in old if now > each.retired_at + RETIRED_FOR]
    sound = [each for each in kept if _replaces_any(each, due) and archive.files.is_sound(each)]
    for each in due:
        if any(segment.covers(*each.range) for segment in sound):
            freed += _remove(archive, each)
            with database.write() as connection:
                forget_retired(connection, each)
        else:
            _log.warning("a replaced segment is kept: the one that replaced it is damaged")
    return freed


def clear_unknown(database: Database) -> Cleared:
    """Remove unknown files whose events a segment is proven to hold, and move others aside.

    Files that were moved aside before are removed on the same condition.
    """
    archive = database.archive
    with database.read() as connection:
        kept = segments(connection)
        known = {each.range for each in kept} | {each.range for each in retired(connection)}
    unknown = [path for path in archive.files.in_place() if range_of(path) not in known]
    set_aside = freed = 0
    for path in (*unknown, *archive.files.moved_aside()):
        if _is_held(archive, kept, path):
            freed += archive.files.remove(path)
        elif path in unknown:
            archive.files.set_aside(path)
            set_aside += 1
    if set_aside:
        extra = {"files": set_aside, "folder": str(archive.files.aside)}
        _log.warning("unknown files of the archive were moved aside", extra=extra)
    return Cleared(set_aside, freed)


def _replaces_any(segment: Segment, old: Sequence[Retired]) -> bool:
    return any(segment.covers(*each.range) for each in old)


def _remove(archive: Archive, old: Retired) -> int:
    """Remove the file of a replaced segment; a file with other bytes becomes an unknown one."""
    path = archive.files.place(old.range)
    return archive.files.remove(path) if is_content(path, old.size_bytes, old.blocks) else 0


def _is_held(archive: Archive, kept: Sequence[Segment], path: Path) -> bool:
    """Whether a segment that is in its place holds all events of a file."""
    found = segment_in(path)
    return found is not None and any(
        archive.files.is_sound(each) and archive.says(each, found.range, found.digest)
        for each in kept
        if each.covers(*found.range)
    )
