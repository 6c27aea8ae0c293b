"""The command that verifies all stored data."""

import click

from bot.cli.session import Session, json_option
from bot.cli.shown import counted, show_json


@click.command()
@json_option
@click.pass_obj
def verify(session: Session) -> int:
    """Look for damage: every row, index, segment, engagement, barrier and waiting entry.

    Names any damage and its remedy, and then exits with 1. Recording and queries go on meanwhile.
    Rows that an older version wrote get their checksums if no damage is found.
    """
    from bot.cli import verifying  # noqa: PLC0415 - loads Arrow

    done = verifying.verify_all(session)
    filled = verifying.filled(session, done)
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
