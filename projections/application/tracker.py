"""EngagementTracker: the asynchronous client interface."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypedDict, TypeVar

from ledger.commands import interaction_of
from ledger.idempotency import SourceKey
from ledger.instants import iso
from ledger.store.append import Receipt
from projections.application.engagements import Engagements
from projections.application.sharing import Door
from projections.statistics import Statistics

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class EngagementStats(TypedDict):
    """The five totals of a user, under the names of the API."""

    total_interactions: int
    unique_issues: int
    avg_interactions_per_issue: float
    most_engaged_issues: list[str]
    last_interaction: str | None


def engagement_stats(totals: Statistics) -> EngagementStats:
    """Convert `totals` to the form of the API and the command line."""
    last = totals.last_interaction
    return EngagementStats(
        total_interactions=totals.total_interactions,
        unique_issues=totals.unique_issues,
        avg_interactions_per_issue=totals.avg_interactions_per_issue,
        most_engaged_issues=totals.most_engaged_issues,
        last_interaction=None if last is None else iso(last),
    )


class EngagementTracker(Door):
    """The asynchronous client interface; its coroutines do not block the event loop."""

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

        Raises InvalidInteractionError, a ValueError ("Invalid interaction_type: …"), for arguments
        that violate R1, OptedOutError if the user has opted out or was forgotten, and
        LedgerUnavailableError if the ledger cannot be written.
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
        engagements = await self._engagements_soon()
        return await engagements.ledger.record_async(interaction)

    async def calculate_engagement_score(self, user_id: str, issue_id: str) -> float:
        """Return the score now, 0.0..1.0; 0.5 for a user who never touched the issue."""
        ranked = await self._asked(Engagements.ask, user_id, issue_id)
        return ranked.score.value

    async def get_top_engaged_issues(
        self, user_id: str, limit: int = 10
    ) -> list[tuple[str, float]]:
        """Return the first `limit` issues with their scores, the highest first."""
        ranked = await self._asked(Engagements.top, user_id, limit)
        return [(each.issue_id, each.score.value) for each in ranked]

    async def get_engagement_stats(self, user_id: str) -> EngagementStats:
        """Return the user's totals; zeros, an empty list and None for an unknown user."""
        return engagement_stats(await self._asked(Engagements.statistics, user_id))

    async def decay_old_engagements(self, days: int = 30) -> int:
        """Bring the read model's score column up to date; return the number idle for longer."""
        return await self._asked(Engagements.refresh_scores, days)

    async def _asked(
        self,
        question: Callable[Concatenate[Engagements, Asked], Answer],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Answer:
        engagements = await self._engagements_soon()
        return await asyncio.to_thread(question, engagements, *args, **kwargs)
