"""Commands about who is who in Linear: link and unlink."""

from uuid import UUID

import click

from bot.cli.context import Session, UserCommand, Word, json_option
from bot.cli.output import printable, show_json
from bot.cli.users import user_of, user_or_new
from ledger.errors import InvalidInteractionError
from ledger.observations import USER_PREFIX, Person
from ledger.validation import UserId, user_id_of


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.argument("linear_user_id", type=Word())
@json_option
@click.pass_obj
def link(session: Session, user: str, linear_user_id: str) -> None:
    """Link USER to the Linear user with LINEAR_USER_ID, a UUID, without a proof.

    A former link of either of them ends. People link themselves by the bot's /link.
    """
    person = Person(_linear_id(linear_user_id))
    with session.engagements(create=True) as engagements:
        user_id = _person_here(user_or_new(engagements, user))
        done = engagements.ledger.linear_links.link(user_id, person)
    if session.as_json:
        show_json({"user_id": done.user_id, "linear_id": person.id, "former": done.former_user})
        return
    click.echo(f"linked: {printable(done.user_id)} is {person.id} in Linear")
    if done.former_user is not None:
        click.echo(f"{printable(done.former_user)} is no longer linked to that Linear user")


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@json_option
@click.pass_obj
def unlink(session: Session, user: str) -> None:
    """Delete what says who USER is in Linear, as the bot's /unlink does."""
    with session.engagements() as engagements:
        was_linked = engagements.ledger.linear_links.unlink(user_of(engagements, user))
    if session.as_json:
        show_json({"unlinked": was_linked})
    else:
        click.echo("unlinked" if was_linked else "this user was not linked")


def _linear_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        reason = "must be a UUID: Linear shows it in the answer of its API to `viewer { id }`"
        raise InvalidInteractionError("linear_user_id", reason) from None


def _person_here(user_id: str) -> UserId:
    if user_id.startswith(USER_PREFIX):
        raise InvalidInteractionError("user_id", "must not be that of a Linear user")
    return user_id_of(user_id)
