"""Recovery of missing and damaged segment files, from files moved aside or from other segments.

A restored backup may name segments whose files were moved aside, or that were merged since, so that
a larger file holds their events. Every result is compared with the digests of what was sealed. The
caller holds the lock of compactions.
"""

import logging
from collections.abc import Iterator, Sequence

import msgspec

from ledger.archive.segment_store import Archive
from ledger.archive.sorted_merge import merge
from ledger.errors import DamagedSegmentError
from ledger.instants import Instant
from ledger.segment import Segment
from ledger.store.database import Database
from ledger.store.segment_rows import replace, segments

_log = logging.getLogger(__name__)


class Recovery(msgspec.Struct, frozen=True):
    """The names of the restored segments, and of those that are lost."""

    mended: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def recover(database: Database, at: Instant) -> Recovery:
    """Restore the file of each segment whose file is missing or damaged, if possible.

    The file is moved back, or written again from one file or several that cover its range. If that
    gives other bytes, because another version of the library wrote it, the segment is merged with a
    neighbour.
    """
    archive, mended, lost = database.archive, list[str](), list[str]()
    with database.read() as connection:
        kept = segments(connection)
    for segment in kept:
        if not archive.files.is_sound(segment):
            is_mended = archive.files.bring_back(segment) or _made_again(database, segment, at)
            (mended if is_mended else lost).append(segment.name)
    if mended or lost:
        extra = {"restored": len(mended), "lost": len(lost)}
        _log.warning("files of segments were missing or damaged", extra=extra)
    return Recovery(tuple(mended), tuple(lost))


def _made_again(database: Database, segment: Segment, at: Instant) -> bool:
    """Write a segment's file again from files that hold its events; return whether that worked."""
    archive = database.archive
    found = archive.files.found(*segment.range)
    made = _cut_out(archive, found, segment) or _joined(archive, found, segment)
    return made is not None and (made == segment or _merged(database, segment, made, at))


def _cut_out(archive: Archive, found: Sequence[Segment], segment: Segment) -> Segment | None:
    """Write the segment from one file that covers its range, such as a merged one."""
    for each in found:
        if each.covers(*segment.range) and archive.says(each, segment.range, segment.digest):
            return archive.publish(archive.read_positions(each, *segment.range), *segment.range)
    return None


def _joined(archive: Archive, found: Sequence[Segment], segment: Segment) -> Segment | None:
    """Write the segment from files that cover its range, such as those it was merged from."""
    for parts in _tilings(found, *segment.range):
        try:
            return merge(archive, parts, {segment.range: segment.digest}, lambda _: None)
        except DamagedSegmentError:
            continue  # files of another database, which recorded other events after the backup
    return None


def _tilings(found: Sequence[Segment], first: int, last: int) -> Iterator[list[Segment]]:
    """Yield the runs of segments that cover the positions from one to another without a gap."""
    for each in found:
        if each.range == (first, last):
            yield [each]
        elif each.first_position == first and each.last_position < last:
            yield from ([each, *rest] for rest in _tilings(found, each.last_position + 1, last))


def _merged(database: Database, segment: Segment, made: Segment, at: Instant) -> bool:
    """Replace a segment whose file has other bytes by one merged with a neighbour."""
    with database.read() as connection:
        kept = segments(connection)
    parts = next((pair for pair in _neighbours(kept) if segment in pair), None)
    if parts is None or not all(map(database.archive.files.is_sound, set(parts) - {segment})):
        return False
    sources = [made if each == segment else each for each in parts]
    sealings = {each.range: each.digest for each in parts}
    whole = merge(database.archive, sources, sealings, lambda _: None)
    with database.write() as connection:
        replace(connection, whole, parts, at)
    return True


def _neighbours(kept: Sequence[Segment]) -> list[Sequence[Segment]]:
    return [kept[number : number + 2] for number in range(len(kept) - 1)]
