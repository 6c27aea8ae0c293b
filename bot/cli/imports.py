"""Commands that bring histories in."""

import io
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click

from bot.cli.exits import DONE, FAILED, INTERRUPTED
from bot.cli.session import Session, json_option
from bot.cli.shown import printable, progress, show_json
from ledger.errors import LedgerError
from ledger.intake.csv_history import read_csv
from ledger.intake.history import ImportReport, Refusal, record_history
from projections.application import Engagements


@click.group("import")
def imports() -> None:
    """Bring in a history from elsewhere.

    Doing it again adds nothing.
    """


@imports.command("csv")
@click.argument("file")
@json_option
@click.pass_obj
def import_csv(session: Session, file: str) -> int:
    """Import FILE, plain or gzipped, or - for standard input.

    Columns: occurred_at, user, issue_id, kind, context; key and linear_id where there are any. Each
    refused row is told on stderr with its line; the others are recorded.
    """
    report = ImportReport()
    try:
        with _opened(file) as stream, session.engagements(create=True) as engagements:
            _import(engagements, stream, file, report)
    except (LedgerError, KeyboardInterrupt) as error:
        reason = str(error) or "interrupted; import it again to go on"
        click.echo(f"error: {_name(file)}: {reason}", err=True)
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
    else:
        code = FAILED if report.refused else DONE
    if session.as_json:
        show_json(report)
    else:
        click.echo(
            f"read {report.read:,}: recorded {report.recorded:,}, "
            f"duplicates {report.duplicates:,}, refused {report.refused:,}"
        )
    return code


def _import(
    engagements: Engagements, stream: io.BufferedReader, file: str, report: ImportReport
) -> None:
    name = _name(file)
    size = os.fstat(stream.fileno()).st_size if stream.seekable() else None
    with progress(name, "rows", size) as update:
        record_history(
            engagements.ledger.record_many,
            read_csv(stream, name),
            report,
            _tell,
            lambda: update(stream.tell() if size else report.read, report.read),
        )


def _opened(file: str) -> AbstractContextManager[io.BufferedReader]:
    return (
        nullcontext(io.BufferedReader(io.FileIO(0, closefd=False)))
        if file == "-"
        else Path(file).open("rb")
    )


def _name(file: str) -> str:
    return "standard input" if file == "-" else printable(Path(file).name)


def _tell(refusal: Refusal) -> None:
    click.echo(f"error: {refusal.place}: {printable(refusal.reason)}", err=True)
