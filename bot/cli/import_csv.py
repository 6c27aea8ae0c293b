"""The command that imports a CSV file."""

import click

from bot.cli.context import Session
from bot.cli.import_common import bring_in, choice_of, import_options, name_of, of_file, opened
from ledger.application import reading_ahead


@click.command("csv")
@click.argument("file")
@import_options
@click.pass_obj
def import_csv(
    session: Session,
    file: str,
    since: str | None,
    until: str | None,
    dry_run: bool,  # noqa: FBT001 - click passes a flag so
) -> int:
    """Import FILE, plain or gzipped, or - for standard input.

    Columns: occurred_at, user, issue_id, kind, context; optionally key and linear_id.
    Refused rows are reported on stderr with their lines; the others are recorded.
    """
    choice = choice_of(session, since, until, dry_run=dry_run)
    with opened(file) as stream, reading_ahead(stream, name_of(file)) as entries:
        return bring_in(session, choice, of_file(stream, file, "rows", lambda _: entries))
