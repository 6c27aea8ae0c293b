"""EngagementTracker: the asynchronous door."""

import asyncio
import datetime as dt
from typing import TypedDict

from ledger.instants import iso
from ledger.interaction import interaction_of
from ledger.source_keys import SourceKey
from ledger.store.append import Receipt
from projections.application.engagements import Engagements
from projections.statistics import Statistics


class EngagementStats(TypedDict):
    """The five totals of a user, under the names of the API."""

    total_interactions: int
    unique_issues: int
    avg_interactions_per_issue: float
    most_engaged_issues: list[str]
    last_interaction: str | None


def engagement_stats(totals: Statistics) -> EngagementStats:
    """Return `totals` in the form that the API and the command line show."""
    last = totals.last_interaction
    return EngagementStats(
        total_interactions=totals.total_interactions,
        unique_issues=totals.unique_issues,
        avg_interactions_per_issue=totals.avg_interactions_per_issue,
        most_engaged_issues=totals.most_engaged_issues,
        last_interaction=None if last is None else iso(last),
    )


class EngagementTracker:
    """The asynchronous door; no method blocks the event loop."""

    def __init__(self, engagements: Engagements) -> None:
        """Record and ask through `engagements`, which the caller closes."""
        self._engagements = engagements

    @property
    def engagements(self) -> Engagements:
        """What it records and asks through; its methods do block."""
        return self._engagements

    async def track_issue_mention(  # noqa: PLR0913 - the API's signature
        self,
        user_id: str,
        issue_id: str,
        interaction_type: str,
        linear_id: str | None = None,
        context: str | None = None,
        *,
        source_key: SourceKey | str | None = None,
        occurred_at: dt.datetime | None = None,
    ) -> Receipt:
        """Record one interaction durably; a source key that was seen before adds nothing.

        Raises InvalidInteractionError, a ValueError ("Invalid interaction_type: …"), for what R1
        refuses, OptedOutError where the user does not want it recorded, and LedgerUnavailableError
        where the ledger cannot be written.
        """
        interaction = interaction_of(
            user_id,
            issue_id,
            interaction_type,
            linear_id=linear_id,
            context=context,
            source_key=source_key,
            occurred_at=occurred_at,
        )
        return await self._engagements.ledger.record_async(interaction)

    async def calculate_engagement_score(self, user_id: str, issue_id: str) -> float:
        """Return the score now, 0.0..1.0; 0.5 for a user who never touched the issue."""
        ranked = await asyncio.to_thread(self._engagements.ask, user_id, issue_id)
        return ranked.score.value

    async def get_top_engaged_issues(
        self, user_id: str, limit: int = 10
    ) -> list[tuple[str, float]]:
        """Return the first `limit` issues with their scores, the highest first."""
        ranked = await asyncio.to_thread(self._engagements.top, user_id, limit)
        return [(each.issue_id, each.score.value) for each in ranked]

    async def get_engagement_stats(self, user_id: str) -> EngagementStats:
        """Return the user's totals; zeros, an empty list and None for an unknown user."""
        return engagement_stats(await asyncio.to_thread(self._engagements.statistics, user_id))

    async def decay_old_engagements(self, days: int = 30) -> int:
        """Bring the read model's score column up to date; return how many are idle for longer."""
        return await asyncio.to_thread(self._engagements.refresh_scores, days)
