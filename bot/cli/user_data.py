"""Commands that export or forget a user's data."""

import datetime as dt
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.files import write_file
from bot.cli.session import Session, UserCommand, Word, json_option
from bot.cli.shown import counted, printable, show_json
from bot.cli.users import user_of
from ledger.validation import user_id_of

if TYPE_CHECKING:
    from projections.application import Engagements


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@click.pass_obj
def forget(session: Session, user: str, yes: bool) -> None:  # noqa: FBT001 - click passes a flag so
    """Delete what links the past to USER, as the bot's /forget does.

    The id, name, texts and scores are deleted, as are waiting entries and files saved by the chat
    in the terminal. The events stay without a user, and are never recorded as USER's again. This
    cannot be undone.
    """
    with session.engagements() as engagements:
        # Files may still hold data of a user who is already forgotten.
        user_id = user if _is_barred(engagements, user) else user_of(engagements, user)
        if not yes:
            click.confirm(
                f"Forget {printable(user_id)}? This cannot be undone", abort=True, err=True
            )
        _forget_waiting(session, engagements, user_id)
        engagements.erase(user_id)
    _delete_saved(Path(session.settings.home), user_id)
    if session.as_json:
        show_json({"forgotten": True})
    else:
        click.echo("forgotten: what was recorded of this user no longer belongs to anyone")


def _is_barred(engagements: "Engagements", word: str) -> bool:
    ledger = engagements.ledger
    return not ledger.has_account(word) and ledger.knows(user_id_of(word))


def _forget_waiting(session: Session, engagements: "Engagements", user_id: str) -> None:
    """Record waiting entries of all bots' spools, so that they are erased, and delete set-aside
    lines.

    Raises OSError if a running bot uses a spool.
    """
    from bot.gate import Gate  # noqa: PLC0415 - loads SQLAlchemy
    from bot.spool.file import spools  # noqa: PLC0415 - as above
    from bot.spool.keeping import Keeper  # noqa: PLC0415 - as above

    settings, ledger = session.settings, engagements.ledger
    gate = Gate(settings.chats, settings.admins, ledger.knows)
    for spool in spools(ledger.database.path, settings):
        Keeper(ledger, spool, gate).forget(user_id)


def _delete_saved(home: Path, user_id: str) -> None:
    """Delete the user's folder of files that the terminal chat has saved."""
    if user_id.isascii() and user_id.isdigit():  # as are all ids of that chat
        folder = home / "saved" / user_id
        if folder.exists():
            shutil.rmtree(folder)


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.option("-o", "--output", metavar="FILE", help="Default: engagement-DATE.zip.")
@json_option
@click.pass_obj
def export(session: Session, user: str, output: str | None) -> None:
    """Write everything recorded about USER to FILE, as the bot's /export does.

    FILE is a ZIP archive of JSON that only its owner can read. An existing one is replaced.
    """
    from bot.user_data import made  # noqa: PLC0415 - loads SQLAlchemy

    path = Path(output or f"engagement-{session.clock().astimezone(dt.UTC):%Y-%m-%d}.zip")
    with session.engagements() as engagements:
        entries = engagements.history(user_of(engagements, user))
        export = made(entries, path.absolute().parent)
    with export.parts[0] as part:
        part.seek(0)
        write_file(path, part.read())
    if session.as_json:
        show_json({"file": str(path), "events": export.events})
    else:
        click.echo(f"written: {printable(str(path))}, {counted(export.events, 'event')}")
