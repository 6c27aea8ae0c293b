"""Commands that write: init, record, set-score, hide, unhide."""

import click
import msgspec

from bot.cli.context import Number, Session, UserCommand, Word, json_option
from bot.cli.output import printable, show_json
from bot.cli.suggestions import suggesting_issue
from bot.cli.text_tables import show_table
from bot.cli.users import user_of, user_or_new
from ledger.commands import interaction_of


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
    help="When it happened: ISO 8601, or words such as yesterday at 14:00. Default: now.",
)
@click.option("--context", metavar="TEXT", help="The text; its first 200 characters are kept.")
@click.option("--key", metavar="KEY", help="A unique key: an interaction counts once, for ever.")
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
    """Set the base of a score, 0.0 to 1.0.

    It holds until a later interaction of USER with ISSUE.
    """
    with session.engagements() as engagements, suggesting_issue(issue):
        receipt = engagements.adjustments.override(user_of(engagements, user), issue, score)
    if session.as_json:
        show_json(receipt)
    else:
        click.echo(f"set: {issue.upper()} starts from {score:g}, position {receipt.position}")


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.argument("issue", type=Word())
@json_option
@click.pass_obj
def hide(session: Session, user: str, issue: str) -> None:
    """Leave ISSUE out of USER's lists and briefings from now on.

    It counts as before: in scores, totals and the history.
    """
    _set_hidden(session, user, issue, hidden=True)


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.argument("issue", type=Word(), required=False)
@json_option
@click.pass_obj
def unhide(session: Session, user: str, issue: str | None) -> None:
    """Show ISSUE in USER's lists again.

    Without ISSUE: list what is hidden.
    """
    if issue is None:
        _list_hidden(session, user)
    else:
        _set_hidden(session, user, issue, hidden=False)


def _set_hidden(session: Session, user: str, issue: str, *, hidden: bool) -> None:
    with session.engagements() as engagements, suggesting_issue(issue):
        receipt = engagements.adjustments.hide(user_of(engagements, user), issue, hidden=hidden)
    named = printable(issue.upper())
    if session.as_json:
        show_json(receipt or {"position": None, "counted": False})
    elif receipt is None:
        click.echo(f"nothing added: {named} is {'already' if hidden else 'not'} hidden")
    else:
        done = "hidden: {} is left out of lists" if hidden else "unhidden: {} is in lists again"
        click.echo(f"{done.format(named)}, position {receipt.position}")


def _list_hidden(session: Session, user: str) -> None:
    with session.engagements() as engagements:
        hidden = sorted(engagements.questions.hidden(user_of(engagements, user)))
    if session.as_json:
        show_json(hidden)
    else:
        show_table(("hidden",), [(issue,) for issue in hidden], "nothing is hidden")
