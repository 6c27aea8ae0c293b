"""The command that shows what Linear, or else the ledger, says of issues."""

import asyncio
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from bot.cli.context import Session, as_of_options, json_option
from bot.cli.output import show_json, show_text
from bot.language import words
from bot.settings import variable_of
from ledger.errors import SettingsError
from ledger.instants import Instant, instant_of, iso

if TYPE_CHECKING:
    from bot.cli.recorded_issues import Recorded
    from bot.linear.client import Linear
    from bot.linear.facts import StagnantDays
    from bot.linear.issue import Answer, Found


@click.command()
@click.argument("keys", metavar="KEY…", nargs=-1, required=True)
@as_of_options
@json_option
@click.pass_obj
def issue(session: Session, keys: tuple[str, ...], at: str | None, known_at: str | None) -> int:
    """Show what Linear says of issues: titles, states, blockers and what else is on cards.

    The ledger answers questions about the past, and those that Linear does not answer now, by what
    Linear said before, but not of issues that Linear does not find now; it adds the time in each
    state. Without ENGAGEMENT_LINEAR_API_KEY only the ledger answers. Nothing is recorded. Exits
    with 1 if an issue is not found.
    """
    from bot.cli import recorded_issues  # noqa: PLC0415 - loads what scores need

    asked, moments = list(dict.fromkeys(key.upper() for key in keys)), session.moments(at, known_at)
    known = recorded_issues.recorded(session, asked, *moments)
    is_past = at is not None or known_at is not None
    answers: dict[str, Answer] = {}
    if session.settings.linear_api_key is not None or not (is_past or known):
        answers = asyncio.run(_answers(linear_for(session), asked))
    if is_past:
        answers = _hidden_among(answers)
    shown = [_Shown(key, answers.get(key), known.get(key)) for key in asked]
    end = instant_of(moments[0] or moments[1] or session.clock())
    if session.as_json:
        show_json([_whole_document(session, each, end) for each in shown])
    else:
        _show_all(session, shown, end)
    return int(not all(each.is_found for each in shown))


class _Shown(NamedTuple):
    """A key, Linear's answer unless it was not asked, and what the ledger knows."""

    key: str
    answer: "Answer | None"
    known: "Recorded | None"

    @property
    def is_found(self) -> bool:
        """Whether there is anything to show."""
        return _is_found(self.answer) or self.is_recorded

    @property
    def is_recorded(self) -> bool:
        """Whether the ledger answers, because Linear did not."""
        from bot.linear.issue import Unknown  # noqa: PLC0415 - with the client

        is_open = self.answer is None or isinstance(self.answer, Unknown)
        return self.known is not None and is_open

    @property
    def history(self) -> "Recorded | None":
        """The issue as the ledger knows it, if it is the one that Linear answers."""
        from bot.linear.issue import Found  # noqa: PLC0415 - with the client

        if not isinstance(self.answer, Found) or self.known is None:
            return None
        return self.known if self.known.issue.at.issue == self.answer.issue.id.lower() else None


def _hidden_among(answers: dict[str, "Answer"]) -> dict[str, "Answer"]:
    """The answers about issues that may not be shown now, so not as they were either."""
    from bot.linear.issue import Absent  # noqa: PLC0415 - with the client

    return {key: answer for key, answer in answers.items() if isinstance(answer, Absent)}


def _is_found(answer: "Answer | None") -> bool:
    from bot.linear.issue import Found  # noqa: PLC0415 - with the client

    return isinstance(answer, Found)


def _show_all(session: Session, shown: Sequence[_Shown], end: Instant) -> None:
    from bot.cli.recorded_issues import lines_of, stagnant_of, time_lines  # noqa: PLC0415 - as above

    for number, each in enumerate(shown):
        if number:
            click.echo()
        if each.known is not None and each.is_recorded:
            for line in lines_of(each.known, session, end):
                show_text(line)
        elif each.answer is None:
            show_text(words.ISSUE_UNRECORDED.format(issue=each.key))
        else:
            _show(session, each.key, each.answer, stagnant_of(each.history))
            for line in time_lines(each.history.issue, end) if each.history is not None else ():
                show_text(line)


def _whole_document(session: Session, shown: _Shown, end: Instant) -> dict[str, Any]:
    from bot.cli.recorded_issues import document_of, states_of  # noqa: PLC0415 - as above

    if shown.known is not None and shown.is_recorded:
        return document_of(shown.key, shown.known, session.settings.linear_teams, end)
    if shown.answer is None:
        return {"issue_id": shown.key, "status": "unrecorded"}
    document = _document(shown.key, shown.answer)
    if shown.history is not None:
        document["states"] = states_of(shown.history.issue, end)
        document["stagnant_working_days"] = shown.history.stagnant_days
    return document


def linear_for(session: Session) -> "Linear":
    """Return the client by the settings of a session; raises SettingsError without a key."""
    from bot.linear.client import linear_of  # noqa: PLC0415 - loads httpx

    linear = linear_of(session.settings, session.clock)
    if linear is None:
        message = (
            f"{variable_of('linear_api_key')} is not set: make a key in Linear's settings and put "
            "it into .env, or try `engagement linear-demo`, which needs no account"
        )
        raise SettingsError(message)
    return linear


async def _answers(linear: "Linear", keys: Sequence[str]) -> dict[str, "Answer"]:
    try:
        return await linear.look_up(keys)
    finally:
        await linear.close()


def _show(session: Session, key: str, answer: "Answer", stagnant: "StagnantDays") -> None:
    from bot.answers.plain_text import plain_text  # noqa: PLC0415 - as above
    from bot.dates.format import Time  # noqa: PLC0415 - as above
    from bot.linear.cards import lines_of  # noqa: PLC0415 - loads what scores need

    time = Time(session.clock(), session.settings.zone)
    for line in lines_of(key, answer, time, stagnant):
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
    from bot.linear.facts import cycle  # noqa: PLC0415 - as above

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
        "cycle_name": next(cycle(issue), None),
        "project": None if issue.project is None else issue.project.name,
        "labels": [each.name for each in issue.labels],
        "estimate": issue.estimate,
        "blocked_by": [each.identifier for each in issue.blockers],
        "branch": issue.branch_name,
        "url": issue.url,
        "updated_at": _iso(issue.updated_at),
    }


def _iso(moment: dt.datetime | None) -> str | None:
    return None if moment is None else iso(instant_of(moment))
