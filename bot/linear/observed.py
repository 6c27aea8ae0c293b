"""Answers of look-ups as observations that the ledger can record."""

from bot.linear.issue import PUBLIC, Issue, Team
from ledger.instants import Instant, instant_of
from ledger.observations import Observation, Person, Text, checked_observation
from projections.issue_history import IssueAt


def observation_of(issue: Issue, said_at: Instant) -> Observation | None:
    """The observation of an issue that was looked up, or None if it cannot be recorded.

    What a look-up does not ask for, such as labels, stays unsaid.
    """
    texts = [Text(issue.id, issue.title, issue.url)]
    if issue.state_id:
        texts.append(Text(issue.state_id, issue.state.name))
    try:
        return checked_observation(
            Observation(
                issue=issue.id,
                identifier=issue.identifier,
                team=issue.team.key,
                updated_at=instant_of(issue.updated_at),
                said_at=said_at,
                state_id=issue.state_id or None,
                state_type=issue.state.type,
                former_identifiers=issue.former_identifiers,
                priority=issue.priority,
                assignee=Person(issue.assignee_id, issue.assignee) if issue.assignee_id else None,
                due_date=issue.due_date,
                archived=issue.archived,
                trashed=issue.trashed,
                public_team=issue.team.key if issue.team.visibility == PUBLIC else None,
                origin="look-up",
                texts=tuple(texts),
            )
        )
    except ValueError:
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
