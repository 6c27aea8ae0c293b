"""Verification of a ledger with progress, and the writing of missing checksums."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from msgspec import structs

from bot.cli.progress import counting
from bot.cli.session import Session
from bot.cli.shown import counted
from bot.spool.file import spools, unreadable_lines
from ledger.errors import LedgerError, LedgerMissingError
from ledger.store import schema
from ledger.store.database import Database
from ledger.verification.findings import Finding, barrier_findings
from ledger.verification.row_checks import fill
from ledger.verification.truth import found, snapshot
from projections.read_model.compare import Verification, size
from projections.read_model.compare import verify as verified


def _beside_findings(session: Session, database: Database) -> Iterator[Finding]:
    """Check the barrier file and the spools without changing them."""
    yield from found("the barriers", lambda: _barriers(database))
    for path in spools(database.path, session.settings):
        yield from found(path.name, partial(_spooled, path))


def _barriers(database: Database) -> Iterator[Finding]:
    with snapshot(database) as connection:
        yield from barrier_findings(database, connection)


def _spooled(path: Path) -> Iterator[Finding]:
    unreadable, aside = unreadable_lines(path)
    if unreadable:
        says = (
            f"{path.name}: {counted(unreadable, 'line')} cannot be read, and so cannot "
            "be recorded; the bot sets them aside when it drains this file"
        )
        yield Finding(path.name, says)
    if aside:
        says = (
            f"{path.name}: {counted(aside, 'line')} set aside in {path.name}.unreadable, because "
            "they could not be recorded; look at them, then delete that file"
        )
        yield Finding(path.name, says)


def verify_all(session: Session) -> Verification:
    """Verify the ledger with a progress bar; an older schema is upgraded first."""
    with closing(Database(session.settings.database_url)) as database:
        if not database.exists():
            schema.refuse_if_lost(database)
            message = "there is no ledger yet; `engagement init` creates one"
            raise LedgerMissingError(message)
        if _is_older(database):
            with session.engagements():
                pass
        with counting("verify", "rows", size(database)) as advance:
            done = verified(database, advance)
        beside = _beside_findings(session, database)
        return structs.replace(done, findings=[*done.findings, *beside])


def _is_older(database: Database) -> bool:
    try:
        with database.read() as connection:
            version = schema.version_of(connection)
    except LedgerError:
        return False  # the verification reports why
    return version is not None and version < schema.VERSION


def filled(session: Session, done: Verification) -> str | None:
    """Write missing checksums, and return a sentence about the outcome."""
    if done.findings or not done.unverified:
        return None
    rows = counted(done.unverified, "row")
    try:
        with (
            closing(Database(session.settings.database_url)) as database,
            counting("checksums", "rows", done.unverified) as advance,
        ):
            return f"{counted(fill(database, advance), 'row')} got their checksums"
    except LedgerError as error:
        return f"{rows} have no checksums yet, because writing them failed: {error}"
