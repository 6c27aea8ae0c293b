"""The command that shows what Linear says of issues."""

import asyncio
import datetime as dt
from collections.abc import Iterator, Sequence
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
    """Show what Linear says of issues: titles, states, blockers and what else is on cards.

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
    from bot.answers.replies import Time, plain_text  # noqa: PLC0415 - as above
    from bot.linear.cards import lines_of  # noqa: PLC0415 - loads what scores need

    time = Time(session.clock(), session.settings.zone)
    for number, (key, answer) in enumerate(answers.items()):
        if number:
            click.echo()
        for line in lines_of(key, answer, time):
            show_text(plain_text(line))
        for line in _to_copy(answer):
            show_text(line)


def _to_copy(answer: "Answer") -> Iterator[str]:
    from bot.linear.facts import branch_of, url_of  # noqa: PLC0415 - as above
    from bot.linear.issue import Found  # noqa: PLC0415 - with the client

    if not isinstance(answer, Found):
        return
    for what, text in (("open", url_of(answer.issue)), ("branch", branch_of(answer.issue))):
        if text is not None:
            yield f"{what}: {text}"


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
        "in_state_since": _iso(issue.in_state_since),
        "cycle": None if issue.cycle is None else issue.cycle.number,
        "blocked_by": [each.identifier for each in issue.blockers],
        "branch": issue.branch_name,
        "url": issue.url,
        "updated_at": _iso(issue.updated_at),
    }


def _iso(moment: dt.datetime | None) -> str | None:
    return None if moment is None else iso(instant_of(moment))
