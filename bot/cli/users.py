"""Commands about users: who there is, who is meant, and exporting or forgetting one of them."""

import datetime as dt
import re
import shutil
import unicodedata
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.context import Session, UserCommand, Word, json_option
from bot.cli.output import counted, printable, show_json, write_file
from bot.cli.text_tables import show_table
from ledger.validation import user_id_of

if TYPE_CHECKING:
    from ledger.application import User
    from projections.application import Engagements


# The resolution of users by id or name, and the command that lists users.

CANDIDATES = 10
"""The most users that an error lists if they share a name."""
NEAR_AT_MOST = 3
"""The most similar names that an error lists for an unknown one."""
_SHORTEST_PART = 2

_NUMBER = re.compile(r"-?[0-9]+")


class UserNotFoundError(click.ClickException):
    """A word that is not the id or the name of exactly one user."""


def user_of(engagements: "Engagements", word: str) -> str:
    """Return the id of the user that `word` names: by an id, or else by a display name.

    Raises UserNotFoundError if no user or several users match.
    """
    found = _found(engagements, word)
    if found is None:
        raise UserNotFoundError(_unknown(engagements.ledger.users(), word))
    return found


def user_or_new(engagements: "Engagements", word: str) -> str:
    """Like `user_of`, but return `word` itself if no user has that id or name yet."""
    return _found(engagements, word) or word


def _found(engagements: "Engagements", word: str) -> str | None:
    ledger, user_id = engagements.ledger, user_id_of(word)
    if ledger.has_account(user_id):
        return user_id
    named = [each for each in ledger.users() if _is_named(each, word)]
    if len(named) > 1:
        raise UserNotFoundError(_ambiguous(named))
    return named[0].user_id if named else None


def _unknown(users: Iterable["User"], word: str) -> str:
    near = ", ".join(map(printable, near_names(users, word)))
    meant = f" did you mean {near}?" if near else ""
    return f"unknown user;{meant} `engagement users` lists all users"


def near_names(users: Iterable["User"], word: str) -> list[str]:
    """The names of users with a part that begins with `word`, or is spelt similarly.

    Accents and capitals do not matter. Ids stand in for missing names; numbers are near nothing.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - known users need none

    names: dict[str, str] = {}
    for each in users:
        name = each.display_name or each.user_id
        texts = [name, *name.split(), each.user_id]
        names |= {_unaccented(text): name for text in texts if not _NUMBER.fullmatch(text)}
    wanted = _unaccented(word.removeprefix("@"))
    is_long = len(wanted) >= _SHORTEST_PART
    begun = [text for text in names if is_long and f" {wanted}" in f" {text}"]
    near = [*begun, *get_close_matches(wanted, names, NEAR_AT_MOST)]
    return list(dict.fromkeys(names[text] for text in near))[:NEAR_AT_MOST]


def _unaccented(text: str) -> str:
    letters = unicodedata.normalize("NFD", text.casefold())
    return "".join(each for each in letters if not unicodedata.combining(each))


def _is_named(user: "User", word: str) -> bool:
    return _plain(user.display_name or "") == _plain(word.removeprefix("@"))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _ambiguous(named: list["User"]) -> str:
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


def _holds(user: "User", wanted: str) -> bool:
    return any(wanted in _plain(each) for each in (user.user_id, user.display_name or ""))


# Commands that export or forget a user's data.


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
        engagements.ledger.erase(user_id)
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
    from bot.listening.access import Gate  # noqa: PLC0415 - loads SQLAlchemy
    from bot.spool.durable_writer import Keeper  # noqa: PLC0415 - as above
    from bot.spool.spool_file import spools  # noqa: PLC0415 - as above
    from projections.application import EngagementTracker  # noqa: PLC0415 - as above

    settings, ledger = session.settings, engagements.ledger
    gate = Gate(settings.chats, settings.admins, ledger.knows)
    for spool in spools(ledger.database.path, settings):
        Keeper(EngagementTracker(engagements), spool, gate).forget(user_id)


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

    USER may be a person of Linear, linear:ID: then it has what Linear said that names them.
    FILE is a ZIP archive of JSON that only its owner can read. An existing one is replaced.
    """
    from bot.user_data import made  # noqa: PLC0415 - loads SQLAlchemy

    path = Path(output or f"engagement-{session.clock().astimezone(dt.UTC):%Y-%m-%d}.zip")
    with session.engagements() as engagements:
        user_id = user_of(engagements, user)
        own, naming = engagements.questions.history(user_id), engagements.issues.naming(user_id)
        export = made(chain(own, naming), path.absolute().parent)
    with export.parts[0] as part:
        part.seek(0)
        write_file(path, part.read())
    if session.as_json:
        show_json({"file": str(path), "events": export.events})
    else:
        click.echo(f"written: {printable(str(path))}, {counted(export.events, 'event')}")
