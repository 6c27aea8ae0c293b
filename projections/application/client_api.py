"""IssueEngagementRepository: the synchronous client interface."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from ledger.commands import Kind, interaction_of
from ledger.errors import OptedOutError
from ledger.idempotency import SourceKey
from ledger.instants import Instant, moment_of
from projections.application.sharing import Door
from projections.ranking import Ranked
from projections.read_model import queries


class IssueEngagement(msgspec.Struct, frozen=True):
    """An engagement under the names of the API; `engagement_score` is the score at `scored_at`."""

    id: int
    user_id: str
    issue_id: str
    linear_id: str
    interaction_type: str
    interaction_count: int
    engagement_score: float
    last_interaction: dt.datetime
    first_interaction: dt.datetime
    context: str | None
    extra_metadata: dict[str, Any] | None
    scored_at: dt.datetime
    policy_version: int


class IssueEngagementRepository(Door):
    """The synchronous client interface, in the terms of the read model; thread-safe."""

    def record_interaction(  # noqa: PLR0913 - the API's signature
        self,
        user_id: str,
        issue_id: str,
        linear_id: str | None,
        interaction_type: str,
        context: str | None = None,
        *,
        extra_metadata: Mapping[str, Any] | None = None,
        source_key: SourceKey | str | None = None,
        occurred_at: dt.datetime | None = None,
    ) -> IssueEngagement:
        """Record one interaction durably and return the engagement that it belongs to.

        Raises the errors of `EngagementTracker.track_issue_mention`.
        """
        interaction = interaction_of(
            user_id,
            issue_id,
            interaction_type,
            linear_id=linear_id,
            context=context,
            metadata=extra_metadata,
            source_key=source_key,
            occurred_at=occurred_at,
        )
        self.engagements.ledger.record(interaction)
        return self._changed(user_id, issue_id)

    def get_engagement(self, user_id: str, issue_id: str) -> IssueEngagement | None:
        """Return the engagement, or None for a user who never touched the issue."""
        shown = self._shown(user_id, [self.engagements.ask(user_id, issue_id)])
        return shown[0] if shown else None

    def get_all_engagements(self, user_id: str, min_score: float = 0.0) -> list[IssueEngagement]:
        """Return all engagements that score at least `min_score`, in their order (R5)."""
        ranked = self.engagements.ranking(user_id)
        return self._shown(user_id, [each for each in ranked if each.score.value >= min_score])

    def get_top_engaged(self, user_id: str, limit: int = 10) -> list[IssueEngagement]:
        """Return the first `limit` engagements in their order (R5)."""
        return self._shown(user_id, self.engagements.top(user_id, limit))

    def update_score(self, user_id: str, issue_id: str, new_score: float) -> IssueEngagement:
        """Override the score's base with `new_score` until a later interaction (R6).

        Raises InvalidScoreError, a ValueError ("Score must be between 0.0 and 1.0, …"), and
        UnknownEngagementError if the user never touched the issue.
        """
        self.engagements.override(user_id, issue_id, new_score)
        return self._changed(user_id, issue_id)

    def decay_old_engagements(
        self, user_id: str, days_threshold: int = 30, decay_factor: float = 0.1
    ) -> int:
        """Bring the user's score column up to date; return the number of engagements idle for
        longer.

        `decay_factor` must be the policy's: raises ValueError for another one.
        """
        if not 0.0 <= decay_factor <= 1.0:
            message = f"decay_factor must be between 0.0 and 1.0, not {decay_factor!r}"
            raise ValueError(message)
        in_force = self.engagements.policy.decay_rate_per_day
        if decay_factor != in_force:
            message = (
                f"decay_factor is {in_force} in the policy in force; scores with another one "
                "need another ScoringPolicy, not another call"
            )
            raise ValueError(message)
        return self.engagements.refresh_scores(days_threshold, user_id)

    def _changed(self, user_id: str, issue_id: str) -> IssueEngagement:
        shown = self.get_engagement(user_id, issue_id)
        if shown is None:  # the user was forgotten since
            raise OptedOutError
        return shown

    def _shown(self, user_id: str, ranked: Iterable[Ranked]) -> list[IssueEngagement]:
        now = self.engagements.clock()
        with self.engagements.ledger.database.read() as connection:
            details = [
                (each, queries.details_of(connection, user_id, each.issue_id))
                for each in ranked
                if each.engagement.count
            ]
        # Rows without details belong to a user who was forgotten between the two reads.
        return [_issue_engagement(user_id, each, kept, now) for each, kept in details if kept]


def _issue_engagement(
    user_id: str, ranked: Ranked, details: queries.Details, now: dt.datetime
) -> IssueEngagement:
    issue_id, engagement, current, *_ = ranked
    metadata = details.metadata
    return IssueEngagement(
        id=details.id,
        user_id=user_id,
        issue_id=issue_id,
        linear_id=engagement.linear_id or issue_id,
        interaction_type=Kind(cast("int", engagement.last_kind)).label,
        interaction_count=engagement.count,
        engagement_score=current.value,
        last_interaction=moment_of(cast("Instant", engagement.last_at)),
        first_interaction=moment_of(cast("Instant", engagement.first_at)),
        context=details.context,
        extra_metadata=None if metadata is None else msgspec.json.decode(metadata),
        scored_at=now,
        policy_version=details.policy_version,
    )
