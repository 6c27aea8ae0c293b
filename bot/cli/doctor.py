"""The command that checks a ledger for problems."""

import click

from bot.cli.findings import BAD, Finding
from bot.cli.session import Session, json_option
from bot.cli.shown import show_json
from bot.cli.tables import show_table


@click.command()
@click.option("--deep", is_flag=True, help="Also verify all stored data, as `verify` does.")
@json_option
@click.pass_obj
def doctor(session: Session, deep: bool) -> int:  # noqa: FBT001 - click passes a flag so
    """Look for problems.

    Checks settings, SQLite, database, free disk, file system, access, schema, clock, archive and,
    with a key, Linear; exits with 1 if one is bad.
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


def _is_repeated(finding: Finding, found: list[Finding]) -> bool:
    """Whether a verification found the same, of which it may say more."""
    return any(each.detail.startswith(finding.detail) for each in found)
