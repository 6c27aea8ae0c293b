"""The command that writes an audit report."""

from pathlib import Path

import click

from bot.cli.context import Session, json_option
from bot.cli.output import printable, show_json, write_file
from bot.cli.titles import described
from bot.cli.users import user_of
from bot.dates.parse import Edge
from bot.reports import issues_named, report_page
from ledger.instants import instant_of


@click.command()
@click.option("--user", help="Cover only this user, by id or name.")
@click.option("--from", "start", metavar="MOMENT", help="Default: the first event.")
@click.option(
    "--to",
    "end",
    metavar="MOMENT",
    help="Default: now, or the moment of --known-at; the last event, where that is over 30 days "
    "ago. A bare date means its end.",
)
@click.option("--known-at", metavar="MOMENT", help="Use what the ledger knew at this moment.")
@click.option("-o", "--output", required=True, metavar="FILE", help="The file to write.")
@json_option
@click.pass_obj
def report(
    session: Session,
    user: str | None,
    start: str | None,
    end: str | None,
    known_at: str | None,
    output: str,
) -> None:
    """Write an audit as one page of HTML.

    It shows activity, the course of scores and the reasons, and late events and overrides. The page
    is self-contained and prints well. An existing FILE is replaced.
    """
    known = session.moment(known_at)
    until = session.moment(end)
    zone = session.settings.zone
    with session.calendar(), session.engagements() as engagements:
        user = None if user is None else user_of(engagements, user)
        from projections.application import read_audit  # noqa: PLC0415 - loads SQLAlchemy

        audited = read_audit(
            engagements,
            zone,
            until,
            start=session.moment(start, Edge.START),
            user_id=user,
            known_at=known,
        )
    titles = described(session, issues_named(audited)).titles
    with session.calendar():
        page = report_page(audited, instant_of(session.clock()), zone, user, titles)
    write_file(Path(output), page.encode(errors="backslashreplace"))
    total = audited.audit.activity.tally.total
    if session.as_json:
        show_json({"file": output, "interactions": total})
    else:
        click.echo(f"written: {printable(output)}, {total:,} interactions")
