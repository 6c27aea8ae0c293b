"""Issues as the ledger knows them, for the command that shows issues."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from msgspec import UNSET

from bot.cli.context import Session
from bot.dates.format import day_of, when
from bot.language import words
from bot.linear.facts import age
from bot.linear.issue import may_be_shown
from bot.linear.observed import team_of
from ledger.instants import Instant, iso, moment_of
from projections.application import KnownIssue
from projections.issue_history import StateSpan

Moment = dt.datetime | None

_MICROSECONDS = 1_000_000


def recorded(
    session: Session, keys: Sequence[str], at: Moment, known_at: Moment
) -> dict[str, KnownIssue]:
    """The issues among `keys` that the ledger knows, as of a moment; none without a ledger.

    An issue whose team may not be shown now is left out, like one that is not known.
    """
    if not session.has_ledger():
        return {}
    with session.engagements() as engagements:
        found = [(key, engagements.issues.issue(key, at, known_at)) for key in keys]
    allowed = session.settings.linear_teams
    return {
        key: each
        for key, each in found
        # The very issue that was found: another one may have its key now.
        if each is not None and may_be_shown(team_of(each.now), allowed)
    }


def lines_of(issue: KnownIssue, session: Session, end: Instant) -> Iterator[str]:
    """Yield the lines about an issue: title, facts, when Linear said so, and time in states."""
    now, zone = session.clock(), session.settings.zone
    said = when(moment_of(issue.said_at), now, zone)
    yield issue.text(issue.at.issue) or words.ISSUE_NO_TITLE
    yield " · ".join(_facts(issue, now.astimezone(zone).date()))
    yield words.ISSUE_SAID.format(issue=issue.at.identifier, when=said)
    yield time_line(issue, end)


def time_line(issue: KnownIssue, end: Instant) -> str:
    """The line about the time in each state, in the order in which they were entered."""
    total: dict[str, float] = {}
    for span in issue.spans:
        name = _state(issue, span.state_type, span.state_id)
        total[name] = total.get(name, 0.0) + _seconds(span, end)
    spent = (f"{name} {age(seconds)}" for name, seconds in total.items())
    return words.ISSUE_TIMES.format(times=", ".join(spent))


def document_of(key: str, issue: KnownIssue, end: Instant) -> dict[str, Any]:
    """The JSON document about an issue that the ledger knows."""
    at = issue.at
    title = issue.texts.get(at.issue)
    return {
        "issue_id": key,
        "status": "recorded",
        "identifier": at.identifier,
        "linear_id": at.issue,
        "title": None if title is None else title.text,
        "state": issue.text(at.state_id),
        "state_type": at.state_type,
        "team": at.team,
        "assignee": _assignee(issue),
        "priority": _said(at.priority),
        "due_date": at.due_date.isoformat() if isinstance(at.due_date, dt.date) else None,
        "blockers": _said(at.blockers),
        "archived": _said(at.archived),
        "removed": at.removed,
        "url": None if title is None else title.url,
        "said_at": iso(issue.said_at),
        "states": states_of(issue, end),
    }


def states_of(issue: KnownIssue, end: Instant) -> list[dict[str, Any]]:
    """The spans in states, for JSON."""
    return [
        {
            "state": issue.text(span.state_id),
            "state_type": span.state_type,
            "begun_at": iso(span.begun_at),
            "ended_at": None if span.ended_at is None else iso(span.ended_at),
            "seconds": _seconds(span, end),
        }
        for span in issue.spans
    ]


def _facts(issue: KnownIssue, today: dt.date) -> Iterator[str]:
    at = issue.at
    mark = words.ISSUE_MARKS.get(at.state_type, words.ISSUE_OTHER_MARK)
    yield f"{mark} {_state(issue, at.state_type, at.state_id)}"
    if at.removed or at.trashed is True or at.archived is True:
        is_gone = at.removed or at.trashed is True
        yield words.ISSUE_TRASHED if is_gone else words.ISSUE_ARCHIVED
    if at.priority in words.ISSUE_PRIORITIES:
        yield words.ISSUE_PRIORITIES[at.priority]
    if isinstance(at.due_date, dt.date):
        yield words.ISSUE_DUE.format(day=day_of(at.due_date, today))
    if at.assignee is None:
        yield words.ISSUE_UNASSIGNED
    elif at.assignee is not UNSET:
        yield _assignee(issue) or words.ISSUE_SOMEONE


def _state(issue: KnownIssue, state_type: str, state_id: str | None) -> str:
    return issue.text(state_id) or state_type


def _assignee(issue: KnownIssue) -> str | None:
    account = issue.at.assignee
    person = issue.people.get(account) if isinstance(account, UUID) else None
    return None if person is None else person.name


def _said(value: Any) -> Any:  # noqa: ANN401 - of any field
    return None if value is UNSET else value


def _seconds(span: StateSpan, end: Instant) -> float:
    ended_at = end if span.ended_at is None else span.ended_at
    return max(0, ended_at - span.begun_at) / _MICROSECONDS
