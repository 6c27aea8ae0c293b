"""Commands that write: init, record, set-score."""

import click
import msgspec

from bot.cli.session import Number, Session, UserCommand, Word, json_option
from bot.cli.shown import show_json
from bot.cli.users import user_of, user_or_new
from ledger.interaction import interaction_of


@click.command()
@json_option
@click.pass_obj
def init(session: Session) -> None:
    """Create the ledger if there is none."""
    with session.engagements(create=True) as engagements:
        where = engagements.ledger.database.described
    if session.as_json:
        show_json({"ledger": where})
    else:
        click.echo(f"the ledger is ready: {where}")


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.argument("issue", type=Word())
@click.argument("kind", type=Word(), metavar="query|view|mention")
@click.option(
    "--at",
    metavar="MOMENT",
    help="When it happened: ISO 8601, or words such as yesterday at 14:00; now, if not given.",
)
@click.option("--context", metavar="TEXT", help="What was said; its first 200 characters are kept.")
@click.option("--key", metavar="KEY", help="What makes it the same again: counted once, for ever.")
@json_option
@click.pass_obj
def record(
    session: Session,
    user: str,
    issue: str,
    kind: str,
    at: str | None,
    context: str | None,
    key: str | None,
) -> None:
    """Record one interaction of USER with ISSUE."""
    interaction = interaction_of(
        user, issue, kind, occurred_at=session.moment(at), context=context, source_key=key
    )
    with session.engagements(create=True) as engagements:
        known = user_or_new(engagements, interaction.user_id)
        receipt = engagements.ledger.record(msgspec.structs.replace(interaction, user_id=known))
    if session.as_json:
        show_json(receipt)
    elif receipt.counted:
        click.echo(f"recorded: {kind} of {interaction.issue_id}, position {receipt.position}")
    else:
        click.echo(f"nothing added: this key was counted before, at position {receipt.position}")


@click.command("set-score", cls=UserCommand)
@click.argument("user", type=Word())
@click.argument("issue", type=Word())
@click.argument("score", type=Number())
@json_option
@click.pass_obj
def set_score(session: Session, user: str, issue: str, score: float) -> None:
    """Set what a score starts from, 0.0 to 1.0.

    It holds until a later interaction of USER with ISSUE.
    """
    with session.engagements() as engagements:
        receipt = engagements.override(user_of(engagements, user), issue, score)
    if session.as_json:
        show_json(receipt)
    else:
        click.echo(f"set: {issue.upper()} starts from {score:g}, position {receipt.position}")
