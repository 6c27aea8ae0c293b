"""The command that shows what Linear says of issues."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bot.cli.context import Session, json_option
from bot.cli.output import show_json, show_text
from bot.settings import variable_of
from ledger.errors import SettingsError
from ledger.instants import instant_of, iso

if TYPE_CHECKING:
    from bot.linear.client import Linear
    from bot.linear.issue import Answer, Found


@click.command()
@click.argument("keys", metavar="KEY…", nargs=-1, required=True)
@json_option
@click.pass_obj
def issue(session: Session, keys: tuple[str, ...]) -> int:
    """Show what Linear says of issues: their titles, states, assignees and due dates.

    Needs ENGAGEMENT_LINEAR_API_KEY, and records nothing. Exits with 1 if one is not found, or if
    Linear does not answer.
    """
    from bot.linear.issue import Found  # noqa: PLC0415 - with the client, below

    asked = list(dict.fromkeys(key.upper() for key in keys))
    answers = asyncio.run(_answers(linear_for(session), asked))
    if session.as_json:
        show_json([_document(key, answer) for key, answer in answers.items()])
    else:
        _show(session, answers)
    return int(not all(isinstance(each, Found) for each in answers.values()))


def linear_for(session: Session) -> "Linear":
    """Return the client by the settings of a session; raises SettingsError without a key."""
    from bot.linear.client import linear_of  # noqa: PLC0415 - loads httpx

    linear = linear_of(session.settings, session.clock)
    if linear is None:
        message = f"{variable_of('linear_api_key')} is not set; `engagement linear-demo` needs none"
        raise SettingsError(message)
    return linear


async def _answers(linear: "Linear", keys: Sequence[str]) -> dict[str, "Answer"]:
    try:
        return await linear.look_up(keys)
    finally:
        await linear.close()


def _show(session: Session, answers: dict[str, "Answer"]) -> None:
    from bot.answers.replies import plain_text  # noqa: PLC0415 - as above
    from bot.linear.cards import facts_of  # noqa: PLC0415 - loads what scores need

    today = session.clock().astimezone(session.settings.zone).date()
    for number, (key, facts) in enumerate(facts_of(answers, today).items()):
        if number:
            click.echo()
        lines = plain_text(facts.html).split("\n")
        for line in (*lines, f"{key}: {facts.url}") if facts.url else lines:
            show_text(line)


def _document(key: str, answer: "Answer") -> dict[str, Any]:
    from bot.linear.issue import Absent, Found  # noqa: PLC0415 - with the client

    if isinstance(answer, Found):
        return {"issue_id": key, "status": "found", **_found_document(answer)}
    return {"issue_id": key, "status": "absent" if isinstance(answer, Absent) else "unknown"}


def _found_document(found: "Found") -> dict[str, Any]:
    issue = found.issue
    return {
        "identifier": issue.identifier,
        "linear_id": issue.id,
        "title": issue.title,
        "state": issue.state.name,
        "state_type": issue.state.type,
        "team": issue.team.key,
        "assignee": issue.assignee,
        "priority": issue.priority,
        "due_date": None if issue.due_date is None else issue.due_date.isoformat(),
        "archived": issue.archived,
        "url": issue.url,
        "updated_at": iso(instant_of(issue.updated_at)),
    }
