"""Recovery: files of segments that are missing or damaged are brought back, or made again.

A backup of the database may name segments whose files were moved aside by another one, or that were
merged since: then a larger file holds their events. Nothing is believed before its digests are.
Only for who holds the lock of compactions.
"""

import logging
from collections.abc import Sequence

import msgspec

from ledger.archive.folder import Archive
from ledger.archive.merging import merge
from ledger.errors import ArchiveUnavailableError
from ledger.instants import Instant
from ledger.segment import Segment
from ledger.store.database import Database
from ledger.store.segments import replace, segments

_log = logging.getLogger(__name__)


class Recovery(msgspec.Struct, frozen=True):
    """The names of segments whose files were `mended`, and of those that are `lost`."""

    mended: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def recover(database: Database, at: Instant) -> Recovery:
    """Bring back the file of each segment that has not the one that was sealed, where it can be.

    From where it was moved aside, or made again of any file that covers its range. Where it is made
    with other bytes, as another version of the library writes it, it is merged with a neighbour.
    """
    archive, mended, lost = database.archive, list[str](), list[str]()
    with database.read() as connection:
        kept = segments(connection)
    for segment in kept:
        if not archive.files.is_sound(segment):
            is_mended = archive.files.bring_back(segment) or _made_again(database, segment, at)
            (mended if is_mended else lost).append(segment.name)
    if mended or lost:
        extra = {"mended": len(mended), "lost": len(lost)}
        _log.warning("files of segments were missing or damaged", extra=extra)
    return Recovery(tuple(mended), tuple(lost))


def _made_again(database: Database, segment: Segment, at: Instant) -> bool:
    """Make the file of a segment again of one that covers its range, and tell if it was."""
    archive = database.archive
    for covering in archive.files.covering(segment.range):
        if _says_same(archive, covering, segment):
            table = archive.read_positions(covering, *segment.range)
            made = archive.publish(table, *segment.range)
            return made == segment or _merged(database, segment, made, at)
    return False


def _says_same(archive: Archive, covering: Segment, segment: Segment) -> bool:
    try:
        return archive.says(covering, segment.range, segment.digest)
    except ArchiveUnavailableError:
        return False


def _merged(database: Database, segment: Segment, made: Segment, at: Instant) -> bool:
    """Let a merged segment stand for one whose events are in a file of other bytes."""
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
