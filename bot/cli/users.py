"""Users: who is meant by an id or a name, and the command that lists them."""

import unicodedata
from typing import TYPE_CHECKING

import click

from bot.cli.session import Session, UserCommand, Word, json_option
from bot.cli.shown import printable, show_json
from bot.cli.tables import show_table
from ledger.text import user_id_of

if TYPE_CHECKING:
    from ledger.store.users import User
    from projections.application import Engagements

CANDIDATES = 10
"""So many of the users that share a name are listed."""


class UserNotFoundError(click.ClickException):
    """A word that is neither the id nor the name of exactly one user."""


def user_of(engagements: "Engagements", word: str) -> str:
    """Return the id of the user that `word` names: by an id, or else by a display name.

    Raises UserNotFoundError for a name that several have, and for what is neither.
    """
    found = _found(engagements, word)
    if found is None:
        raise UserNotFoundError("unknown user; `engagement users` lists all users")
    return found


def user_or_new(engagements: "Engagements", word: str) -> str:
    """Return what `user_of` does, or `word` itself if no user has that id or name yet."""
    return _found(engagements, word) or word


def _found(engagements: "Engagements", word: str) -> str | None:
    ledger, user_id = engagements.ledger, user_id_of(word)
    if ledger.has_account(user_id):
        return user_id
    named = [each for each in ledger.users() if _is_named(each, word)]
    if len(named) > 1:
        raise UserNotFoundError(_ambiguous(named))
    return named[0].user_id if named else None


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
