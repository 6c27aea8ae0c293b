"""The commands that look for what could go wrong, and for damage."""

import click

from bot.cli.context import Session, json_option
from bot.cli.output import BAD, DoctorFinding, counted, show_json
from bot.cli.text_tables import show_table


@click.command()
@click.option("--deep", is_flag=True, help="Also verify all stored data, as `verify` does.")
@json_option
@click.pass_obj
def doctor(session: Session, deep: bool) -> int:  # noqa: FBT001 - click passes a flag so
    """Look for problems.

    Checks settings, SQLite, database, free disk, file system, access, schema, clock, archive and,
    with a key or a webhook's secret, Linear; exits with 1 if one is bad.
    """
    from bot.cli.diagnosis import damage, diagnosis  # noqa: PLC0415 - loads Arrow

    findings = diagnosis(session)
    if deep:
        found = list(damage(session))
        findings = [each for each in findings if not _is_repeated(each, found)] + found
    if session.as_json:
        show_json([finding._asdict() for finding in findings])
    else:
        show_table(("check", "", "result"), findings, "")
    return int(any(finding.state == BAD for finding in findings))


def _is_repeated(finding: DoctorFinding, found: list[DoctorFinding]) -> bool:
    """Whether a verification found the same, of which it may say more."""
    return any(each.detail.startswith(finding.detail) for each in found)


@click.command()
@json_option
@click.pass_obj
def verify(session: Session) -> int:
    """Look for damage: every row, index, segment, engagement, barrier and waiting entry.

    Names any damage and its remedy, and then exits with 1. Recording and queries go on meanwhile.
    Rows that an older version wrote get their checksums if no damage is found.
    """
    from bot.cli import diagnosis  # noqa: PLC0415 - loads Arrow

    done = diagnosis.verify_all(session)
    filled = diagnosis.filled(session, done)
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
