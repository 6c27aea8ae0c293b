"""Users: who is meant by an id or a name, and what an operator does for one of them."""

import datetime as dt
import shutil
import sys
import threading
import unicodedata
from pathlib import Path

import click

from bot.cli.files import write_file
from bot.cli.session import Session, UserCommand, Word, json_option
from bot.cli.shown import counted, printable, show_json, show_table
from ledger.store.everybody import User
from ledger.text import user_id_of
from projections.application import Engagements

CANDIDATES = 10
"""So many of the users that share a name are listed."""


class UserNotFoundError(click.ClickException):
    """A word that is neither the id nor the name of exactly one user."""


def user_of(engagements: Engagements, word: str) -> str:
    """Return the id of the user that `word` names: by an id, or else by a display name.

    Raises UserNotFoundError for a name that several have, and for what is neither.
    """
    found = _found(engagements, word)
    if found is None:
        raise UserNotFoundError("unknown user; `engagement users` lists those that there are")
    return found


def user_or_new(engagements: Engagements, word: str) -> str:
    """Return what `user_of` does, or `word` itself where it names nobody yet."""
    return _found(engagements, word) or word


def _found(engagements: Engagements, word: str) -> str | None:
    ledger, user_id = engagements.ledger, user_id_of(word)
    if ledger.has_account(user_id):
        return user_id
    named = [each for each in ledger.users() if _is_named(each, word)]
    if len(named) > 1:
        raise UserNotFoundError(_ambiguous(named))
    return named[0].user_id if named else None


def _is_named(user: User, word: str) -> bool:
    return _plain(user.display_name or "") == _plain(word.removeprefix("@"))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _ambiguous(named: list[User]) -> str:
    ids = sorted(each.user_id for each in named)
    more = f" and {len(ids) - CANDIDATES:,} more" if len(ids) > CANDIDATES else ""
    listed = ", ".join(map(printable, ids[:CANDIDATES]))
    return f"{len(ids):,} users have this name: {listed}{more}; give an id"


@click.command(cls=UserCommand)
@click.argument("text", type=Word(), required=False)
@json_option
@click.pass_obj
def users(session: Session, text: str | None) -> None:
    """List the users, or those with TEXT in their id or display name."""
    with session.engagements() as engagements:
        everybody = engagements.ledger.users()
    wanted = _plain((text or "").removeprefix("@"))
    found = sorted(
        (each for each in everybody if _holds(each, wanted)), key=lambda each: each.user_id
    )
    if session.as_json:
        show_json([{"user_id": each.user_id, "name": each.display_name} for each in found])
    else:
        show_table(("user", "name"), [each[1:] for each in found], "no users")


def _holds(user: User, wanted: str) -> bool:
    return any(wanted in _plain(each) for each in (user.user_id, user.display_name or ""))


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.option("--yes", is_flag=True, help="Do not ask whether to.")
@json_option
@click.pass_obj
def forget(session: Session, user: str, yes: bool) -> None:  # noqa: FBT001 - click passes a flag so
    """Delete what ties the past to USER, as the bot's /forget does.

    Id, name, texts and scores go, and what waits to be recorded or was saved by the chat in the
    terminal. The bare events stay, as nobody's, and are never recorded as USER's again. It cannot
    be undone.
    """
    with session.engagements() as engagements:
        # Who was forgotten already may have copies left in files, which are deleted now.
        user_id = user if _is_barred(engagements, user) else user_of(engagements, user)
        if not yes:
            click.confirm(f"Forget {printable(user_id)}? It cannot be undone", abort=True, err=True)
        _forget_waiting(session, engagements, user_id)
        engagements.erase(user_id)
    _delete_saved(Path(session.settings.home), user_id)
    if session.as_json:
        show_json({"forgotten": True})
    else:
        click.echo("forgotten: what was recorded of this user is nobody's now")


def _is_barred(engagements: Engagements, word: str) -> bool:
    ledger = engagements.ledger
    return not ledger.has_account(word) and ledger.knows(user_id_of(word))


def _forget_waiting(session: Session, engagements: Engagements, user_id: str) -> None:
    """Record what waits in the spools of bots, which is then erased, and delete what is set aside.

    Raises OSError where a running bot keeps what waits.
    """
    from bot.telegram.gate import Gate  # noqa: PLC0415 - the bot takes half a second to load
    from bot.telegram.keeping import Keeper  # noqa: PLC0415 - as above
    from bot.telegram.recording import spools  # noqa: PLC0415 - as above

    settings, ledger = session.settings, engagements.ledger
    gate = Gate(settings.chats, settings.admins, ledger.knows)
    for spool in spools(ledger.database.path, settings):
        Keeper(ledger, spool, gate).forget(user_id)


def _delete_saved(home: Path, user_id: str) -> None:
    """Delete the files that the chat in the terminal has saved, in a folder named by the user."""
    if user_id.isascii() and user_id.isdigit():  # as all users of that chat are
        folder = home / "saved" / user_id
        if folder.exists():
            shutil.rmtree(folder)


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.option("-o", "--output", metavar="FILE", help="Default: engagement-DATE.zip.")
@json_option
@click.pass_obj
def export(session: Session, user: str, output: str | None) -> None:
    """Write all that is recorded of USER into FILE, as the bot's /export does.

    It is a ZIP archive of JSON that its owner alone can read. An existing FILE is replaced.
    """
    from bot.telegram.exports import made  # noqa: PLC0415 - the bot takes half a second to load

    path = Path(output or f"engagement-{session.clock().astimezone(dt.UTC):%Y-%m-%d}.zip")
    with session.engagements() as engagements:
        entries = engagements.history(user_of(engagements, user))
        export = made(entries, path.absolute().parent, threading.Event(), sys.maxsize)
    with export.parts[0] as part:
        part.seek(0)
        write_file(path, part.read())
    if session.as_json:
        show_json({"file": str(path), "events": export.events})
    else:
        click.echo(f"written: {printable(str(path))}, {counted(export.events, 'event')}")
