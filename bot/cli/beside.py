"""The doctor's checks of files beside the database: unknown segments, damaged barriers."""

from collections.abc import Iterator

from sqlalchemy import Connection

from bot.cli.findings import BAD, NOTE, Finding
from bot.cli.shown import counted
from ledger.archive.segment_files import range_of
from ledger.store.database import Database
from ledger.store.segment_rows import retired, segments
from ledger.verification.findings import barrier_findings


def beside_findings(database: Database) -> Iterator[Finding]:
    """Yield the problems with files beside a ledger of the present schema version."""
    with database.read() as connection:
        yield from _unknown_files(database, connection)
        for each in barrier_findings(database, connection):
            yield Finding("barriers", BAD, each.says)


def _unknown_files(database: Database, connection: Connection) -> Iterator[Finding]:
    known = {each.range for each in segments(connection)}
    known |= {each[:2] for each in retired(connection)}
    files = database.archive.files
    unknown = [path for path in files.in_place() if range_of(path) not in known]
    if unknown:
        detail = (
            f"{counted(len(unknown), 'file')} that this database does not know, "
            f"{unknown[0].name} first: it may be older than its archive "
            "(docs/how-to/back-up-and-restore.md), or a compaction is running or was interrupted; "
            "the next one removes what it has sealed itself and moves the others aside"
        )
        yield Finding("archive", BAD, detail)
    aside = files.moved_aside()
    if aside:
        detail = f"{counted(len(aside), 'file')} moved aside in {files.aside}: keep until "
        yield Finding("archive", NOTE, f"{detail}no other backup of this ledger is needed")
