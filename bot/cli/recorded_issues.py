"""Issues as the ledger knows them, for the command that shows issues."""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import UNSET

from bot.answers.plain_text import plain_text
from bot.cli.context import Session
from bot.dates.format import Time
from bot.language import words
from bot.linear.cards import lines_of as lines_of_card
from bot.linear.facts import NOT_STAGNANT, StagnantDays, age
from bot.linear.issue import (
    Blocker,
    Cycle,
    Found,
    Issue,
    Named,
    State,
    Team,
    is_finished,
    may_be_shown,
)
from bot.linear.observed import team_of
from ledger.instants import Instant, instant_of, iso, moment_of
from projections.application import KnownIssue
from projections.issue_history import IssueAt, StateSpan

Moment = dt.datetime | None

_MICROSECONDS = 1_000_000


class Recorded(NamedTuple):
    """An issue as the ledger knows it, and for how many working days it stagnates, if it does."""

    issue: KnownIssue
    stagnant_days: int | None


def recorded(
    session: Session, keys: Sequence[str], at: Moment, known_at: Moment
) -> dict[str, Recorded]:
    """The issues among `keys` that the ledger knows, as of a moment; none without a ledger.

    An issue whose team may not be shown now is left out, like one that is not known.
    """
    if not session.has_ledger():
        return {}
    with session.engagements() as engagements:
        issues, allowed = engagements.issues, session.settings.linear_teams
        found = [(key, issues.issue(key, at, known_at)) for key in keys]
        shown = {key: each for key, each in found if each and _may_be_shown(each.now, allowed)}
        ids = [each.at.issue for each in shown.values()]
        now, zone = at or known_at or session.clock(), session.settings.zone
        days = issues.stagnant_days(ids, zone, now, known_at)
    return {key: Recorded(each, days.get(each.at.issue)) for key, each in shown.items()}


def _may_be_shown(now: IssueAt, allowed: Collection[str]) -> bool:
    """Whether the very issue that was found may be seen: another one may have its key now."""
    return may_be_shown(team_of(now), allowed)


def stagnant_of(recorded: Recorded | None) -> StagnantDays:
    """The working days for which the issue stagnates, as a card takes them."""
    days = None if recorded is None else recorded.stagnant_days
    return NOT_STAGNANT if recorded is None or days is None else {recorded.issue.at.issue: days}


def lines_of(recorded: Recorded, session: Session, end: Instant) -> Iterator[str]:
    """Yield the lines about an issue: those of a card, when Linear said so, and time in states."""
    issue, time = recorded.issue, Time(session.clock(), session.settings.zone, moment_of(end))
    found = Found(_described(issue, session.settings.linear_teams))
    for line in lines_of_card(issue.at.identifier, found, time, stagnant_of(recorded)):
        yield plain_text(line)
    yield words.ISSUE_SAID.format(when=time.said_instant(issue.said_at))
    yield from time_lines(issue, end)


def time_lines(issue: KnownIssue, end: Instant) -> Iterator[str]:
    """Yield a line about the time in each state, in the order of entering, if there were several.

    How long one state has lasted is among the facts.
    """
    total: dict[str, float] = {}
    for span in issue.spans:
        name = issue.text(span.state_id) or span.state_type
        total[name] = total.get(name, 0.0) + _seconds(span, end)
    if len(total) > 1:
        spent = (f"{name} {age(seconds)}" for name, seconds in total.items())
        yield words.ISSUE_TIMES.format(times=", ".join(spent))


def document_of(
    key: str, recorded: Recorded, allowed: Collection[str], end: Instant
) -> dict[str, Any]:
    """The JSON document about an issue that the ledger knows; `allowed` teams are shown."""
    issue = recorded.issue
    at, described = issue.at, _described(issue, allowed)
    title = issue.texts.get(at.issue)
    return {
        "issue_id": key,
        "status": "recorded",
        "identifier": at.identifier,
        "linear_id": at.issue,
        "title": None if title is None else title.text,
        "state": issue.text(at.state_id),
        "state_type": at.state_type,
        "in_state_since": _iso(described.in_state_since),
        "team": at.team,
        "assignee": _assignee(issue),
        "priority": _said(at.priority),
        "due_date": at.due_date.isoformat() if isinstance(at.due_date, dt.date) else None,
        "cycle_name": issue.text(_said(at.cycle)),
        "project": issue.text(_said(at.project)),
        "labels": None if at.labels is UNSET else sorted(each.name for each in described.labels),
        "estimate": _said(at.estimate),
        "blockers": None if at.blockers is UNSET else [each.id for each in described.blockers],
        "blocked_by": [each.identifier for each in described.blockers if each.id in issue.blockers],
        "archived": _said(at.archived),
        "removed": at.removed,
        "url": None if title is None else title.url,
        "said_at": iso(issue.said_at),
        "stagnant_working_days": recorded.stagnant_days,
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


def _described(issue: KnownIssue, allowed: Collection[str]) -> Issue:
    """The issue as a card shows it; what Linear did not describe has its default."""
    at, last = issue.at, issue.spans[-1] if issue.spans else None
    title, cycle = issue.texts.get(at.issue), issue.text(_said(at.cycle))
    is_in_state = last is not None and last.ended_at is None
    return Issue(
        id=at.issue,
        identifier=at.identifier,
        updated_at=moment_of(issue.said_at),
        state=State(at.state_type, issue.text(at.state_id) or at.state_type),
        team=Team(at.team),
        title="" if title is None else title.text,
        priority=_said(at.priority) or 0,
        due_date=_said(at.due_date),
        assignee=_assignee(issue) or (words.ISSUE_SOMEONE if _said(at.assignee) else None),
        cycle=None if cycle is None else Cycle(0, cycle),
        labels=tuple(Named(each, issue.text(each) or "") for each in _said(at.labels) or ()),
        in_state_since=moment_of(last.begun_at) if last and is_in_state else None,
        blockers=tuple(sorted(_blockers(issue, allowed), key=_identifier)),
        archived=at.archived is True,
        trashed=at.removed or at.trashed is True,
    )


def _blockers(issue: KnownIssue, allowed: Collection[str]) -> Iterator[Blocker]:
    """Yield the blockers that were unfinished, without those that may not be shown now."""
    for each in _said(issue.at.blockers) or ():
        known = issue.blockers.get(each)
        if known is None:
            yield Blocker(each, words.ISSUE_UNNAMED, Team(""))
        elif not _is_finished(known.at) and _may_be_shown(known.now, allowed):
            yield Blocker(each, known.at.identifier, Team(known.at.team))


def _identifier(blocker: Blocker) -> tuple[bool, str]:
    """Sorts blockers by their identifiers, unnamed ones last."""
    return not blocker.team.key, blocker.identifier


def _is_finished(at: IssueAt) -> bool:
    is_gone = at.removed or at.trashed is True
    return is_finished(at.state_type, archived=at.archived is True, trashed=is_gone)


def _assignee(issue: KnownIssue) -> str | None:
    account = issue.at.assignee
    person = issue.people.get(account) if isinstance(account, UUID) else None
    return None if person is None else person.name


def _said(value: Any) -> Any:  # noqa: ANN401 - of any field
    return None if value is UNSET else value


def _iso(moment: Moment) -> str | None:
    return None if moment is None else iso(instant_of(moment))


def _seconds(span: StateSpan, end: Instant) -> float:
    ended_at = end if span.ended_at is None else span.ended_at
    return max(0, ended_at - span.begun_at) / _MICROSECONDS
