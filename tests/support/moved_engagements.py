"""All answers about engagements, to compare those of two ledgers."""

import asyncio
from typing import Any

import msgspec

from ledger.instants import Instant, moment_of
from projections.application import (
    Engagements,
    EngagementTracker,
    IssueEngagement,
    IssueEngagementRepository,
)
from tests.support.observations import DAY_ONE
from tests.support.strategies import HOUR

USERS = ("ana", "ben")


def answers(engagements: Engagements, keys: list[str], at: Any) -> list[Any]:
    """Everything that is said of both users, where `keys` are asked for; no position is in it."""
    questions, found = engagements.questions, list[Any]()
    for user in USERS:
        found += [questions.ranking(user, at), questions.statistics(user, at)]
        found += [questions.top(user, limit, at) for limit in (1, 2, 20)]
        found += [questions.explain_order(user, at), questions.hidden(user, at)]
        for key in keys:
            found += [questions.ask(user, key, at), about(engagements, user, key, at)]
    return found


def about(engagements: Engagements, user: str, key: str, at: Any) -> list[Any]:
    questions = engagements.questions
    explained = questions.explain(user, key, at)
    entries = list(questions.history(user, key, at))
    page = questions.page(user, key, at, limit=2, latest=True)
    return [
        explained.ranked,
        [(each.occurred_at, each.kind, each.counts) for each in explained.interactions],
        [(each.occurred_at, each.value) for each in explained.overrides],
        [(each.event.occurred_at, each.name or each.event.issue_id) for each in entries],
        (len(page.entries), page.total),
        questions.series(user, key, moment_of(DAY_ONE), moment_of(Instant(DAY_ONE + 900 * HOUR))),
    ]


def stored(engagements: Engagements) -> list[Any]:
    repository = IssueEngagementRepository(engagements)
    return [_elsewhere(each) for user in USERS for each in repository.get_all_engagements(user)]


def _elsewhere(row: IssueEngagement) -> IssueEngagement:
    """A row without what another ledger cannot have: its position, and ids that were looked up."""
    return msgspec.structs.replace(row, id=0, linear_id="")


def embedded(engagements: Engagements, keys: list[str]) -> list[Any]:
    """The answers of the doors for programs that embed the ledger, where `keys` are asked for."""
    repository, tracker = IssueEngagementRepository(engagements), EngagementTracker(engagements)

    async def asked() -> list[Any]:
        return [
            each
            for user in USERS
            for each in (
                await tracker.get_top_engaged_issues(user),
                await tracker.get_engagement_stats(user),
                *[await tracker.calculate_engagement_score(user, key) for key in keys],
            )
        ]

    found = [repository.get_engagement(user, key) for user in USERS for key in keys]
    found += [each for user in USERS for each in repository.get_top_engaged(user)]
    rows = [each and _elsewhere(each) for each in found]
    return [*rows, *asyncio.run(asked())]
