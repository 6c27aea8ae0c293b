"""The command that looks for damage."""

from contextlib import closing

import click

from bot.cli.session import Session, json_option
from bot.cli.shown import counted, counting, show_json
from ledger.errors import LedgerError, LedgerMissingError
from ledger.store import schema
from ledger.store.database import Database
from ledger.verification.backfill import fill
from projections.views.verification import Verification, size
from projections.views.verification import verify as verified


@click.command()
@json_option
@click.pass_obj
def verify(session: Session) -> int:
    """Look for damage: every row, index, segment and engagement.

    Names what is damaged and what to do, and exits with 1. Recording and queries go on meanwhile.
    Rows that an older version wrote get their checksums if no damage is found.
    """
    done = verify_all(session)
    filled = _filled(session, done)
    if session.as_json:
        findings = [{"where": each.where, "says": each.says} for each in done.findings]
        show_json({"events": done.events, "rows": done.rows, "findings": findings})
    elif not done.findings:
        events, rows = counted(done.events, "event"), counted(done.rows, "row")
        click.echo(f"no damage found: {events}, {rows} verified")
    for each in done.findings:
        click.echo(f"error: {each.says}", err=True)
    if filled:
        click.echo(filled, err=True)
    return int(bool(done.findings))


def verify_all(session: Session) -> Verification:
    """Verify the ledger with a progress bar; one of an older version is upgraded first."""
    with closing(Database(session.settings.database_url)) as database:
        if not database.exists():
            schema.refuse_if_lost(database)
            message = "there is no ledger yet; `engagement init` makes one"
            raise LedgerMissingError(message)
        if _is_older(database):
            with session.engagements():
                pass
        with counting("verify", "rows", size(database)) as advance:
            return verified(database, advance)


def _is_older(database: Database) -> bool:
    try:
        with database.read() as connection:
            version = schema.version_of(connection)
    except LedgerError:
        return False  # the verification reports why
    return version is not None and version < schema.VERSION


def _filled(session: Session, done: Verification) -> str | None:
    """Write missing checksums, and return a sentence about it."""
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
