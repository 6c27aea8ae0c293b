"""Answers of look-ups as observations that the ledger can record."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import UNSET, UnsetType

from bot.language import words
from bot.linear.issue import PUBLIC, Cycle, Issue, Named, Team
from bot.linear.webhook_issue import checked, uuid_of
from ledger.instants import Instant, instant_of
from ledger.observations import Observation, Person, Text, checked_observation
from projections.issue_history import IssueAt


def observation_of(issue: Issue, said_at: Instant) -> Observation | None:
    """The observation of an issue that was looked up, or None if it cannot be recorded.

    A field that Linear did not describe whole stays unsaid.
    """
    said = {name: value for name, value in _fields(issue).items() if name not in issue.unsaid}
    try:
        return checked(
            Observation(
                issue=issue.id,
                identifier=issue.identifier,
                team=issue.team.key,
                updated_at=instant_of(issue.updated_at),
                said_at=said_at,
                state_id=uuid_of(issue.state_id),
                state_type=issue.state.type,
                state_since=_state_since(issue),
                public_team=issue.team.key if issue.team.visibility == PUBLIC else None,
                origin="look-up",
                texts=tuple(_texts(issue)),
                **said,
            )
        )
    except ValueError:  # a moment of no year that counts
        return None


def no_longer_public(issue: IssueAt, updated_at: Instant, said_at: Instant) -> Observation:
    """The observation that an issue, as it was known, is not in a public team any more.

    It has no field of the issue as it is now, which may not be seen.
    """
    return checked_observation(
        Observation(
            issue=issue.issue,
            identifier=issue.identifier,
            team=issue.team,
            updated_at=updated_at,
            said_at=said_at,
            state_id=issue.state_id,
            state_type=issue.state_type,
            removed=issue.removed,
            public_team=None,
            origin="look-up",
        )
    )


def team_of(issue: IssueAt) -> Team:
    """The team of an issue, which is public only if a look-up found the issue in it."""
    return Team(issue.team, PUBLIC if issue.is_public else None)


def _fields(issue: Issue) -> dict[str, Any]:
    """The fields that Linear may leave out; those named by what is no UUID are UNSET."""
    return {
        "former_identifiers": issue.former_identifiers,
        "priority": issue.priority,
        "assignee": _assignee(issue),
        "due_date": issue.due_date,
        "cycle": _id_of(issue.cycle),
        "project": _id_of(issue.project),
        "labels": _ids_of(each.id for each in issue.labels),
        "estimate": issue.estimate,
        "blockers": _ids_of(each.id for each in issue.blockers),
        "archived": issue.archived,
        "trashed": issue.trashed,
    }


def _state_since(issue: Issue) -> Instant | UnsetType:
    return UNSET if issue.in_state_since is None else instant_of(issue.in_state_since)


def _assignee(issue: Issue) -> Person | UnsetType | None:
    if issue.assignee is None and not issue.assignee_id:
        return None
    id_ = uuid_of(issue.assignee_id)
    return UNSET if id_ is None else Person(id_, issue.assignee)


def _id_of(named: Cycle | Named | None) -> str | UnsetType | None:
    return None if named is None else uuid_of(named.id) or UNSET


def _ids_of(ids: Iterable[str]) -> tuple[str, ...] | UnsetType:
    found = tuple(map(uuid_of, ids))
    return UNSET if None in found else tuple(each for each in found if each is not None)


def _texts(issue: Issue) -> Iterator[Text]:
    """Yield the title, and the names of what the issue refers to by an id."""
    named = [(issue.state_id, issue.state.name)]
    if issue.cycle is not None:
        named.append((issue.cycle.id, _cycle_name(issue.cycle)))
    if issue.project is not None:
        named.append((issue.project.id, issue.project.name))
    named += [(each.id, each.name) for each in _whole(issue)]
    yield Text(issue.id, issue.title, issue.url)
    yield from (Text(id_, name) for id_, name in named if uuid_of(id_))


def _cycle_name(cycle: Cycle) -> str:
    return cycle.name or words.ISSUE_CYCLE.format(number=cycle.number)


def _whole(issue: Issue) -> tuple[Named, ...]:
    """The labels, if the observation names them."""
    is_named = "labels" not in issue.unsaid and _ids_of(each.id for each in issue.labels)
    return issue.labels if is_named else ()
