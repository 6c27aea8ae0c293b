"""Engagements, and two doors to them: EngagementTracker and IssueEngagementRepository."""

import asyncio
import datetime as dt
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypedDict, cast

import msgspec

from ledger.application import EngagementLedger, HistoryEntry
from ledger.errors import OptedOutError
from ledger.events import EventRow
from ledger.instants import Instant, instant_of, iso, moment_of
from ledger.interaction import Kind, interaction_of, override_of
from ledger.source_keys import SourceKey
from ledger.store.append import Receipt
from ledger.store.clock import Clock, utc_now
from ledger.store.database import PATIENCE_SECONDS
from ledger.text import issue_id_of, user_id_of
from projections.engagement import NONE, Engagement, fold
from projections.ranking import Ranked, ranking, top
from projections.scoring import DEFAULT_POLICY_VERSION, ScoringPolicy, score
from projections.statistics import Statistics, statistics
from projections.views import read_model, replay


class Engagements:
    """One ledger, opened for recording and for asking.

    Every question takes `at`: None asks by everything that is known, at the present; a moment asks
    what was true then, by the events that had occurred. Ids are checked as R1 says and refused with
    InvalidInteractionError, which is a ValueError.
    """

    def __init__(
        self, url: str, *, clock: Clock = utc_now, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Open the ledger at the SQLAlchemy `url`, making it where there is none.

        Raises LedgerUnavailableError where that is not possible, and later from whatever writes,
        where another process keeps it waiting for more than `patience_seconds`.
        """
        self.clock = clock
        self.read_model = read_model.ReadModel()
        self.ledger = EngagementLedger(
            url, projection=self.read_model, clock=clock, patience_seconds=patience_seconds
        )

    @property
    def policy(self) -> ScoringPolicy:
        """The policy in force."""
        return self.read_model.policy

    def ask(self, user_id: str, issue_id: str, at: dt.datetime | None = None) -> Ranked:
        """Return the engagement of a user with an issue and its score; NONE scores the default."""
        user, issue = user_id_of(user_id), issue_id_of(issue_id)
        if at is None:
            with self.ledger.database.read() as connection:
                engagement = read_model.engagement_of(connection, user, issue)
        else:
            engagement = dict(self._past(user, at)).get(issue, NONE)
        return Ranked(issue, engagement, score(engagement, self._instant(at), self.policy))

    def top(self, user_id: str, limit: int = 10, at: dt.datetime | None = None) -> list[Ranked]:
        """Return the user's first `limit` engagements without the dormant."""
        if limit < 0:
            message = "limit must not be negative"
            raise ValueError(message)
        user, instant, limit = user_id_of(user_id), self._instant(at), min(limit, sys.maxsize)
        if at is not None:
            return top(ranking(self._past(user, at), instant, self.policy), limit)
        with self.ledger.database.read() as connection:
            return read_model.top_of(connection, user, limit, instant, self.policy)

    def ranking(self, user_id: str, at: dt.datetime | None = None) -> list[Ranked]:
        """Return all of the user's engagements in their order, dormant ones too."""
        user = user_id_of(user_id)
        if at is None:
            with self.ledger.database.read() as connection:
                engagements = read_model.engagements_of(connection, user)
        else:
            engagements = self._past(user, at)
        return ranking(engagements, self._instant(at), self.policy)

    def statistics(self, user_id: str, at: dt.datetime | None = None) -> Statistics:
        """Return the totals of the user's engagements."""
        return statistics(self.ranking(user_id, at))

    def history(self, user_id: str, issue_id: str | None = None) -> Iterable[HistoryEntry]:
        """Yield the user's events, of one issue or of all, the earliest first."""
        user, issue = user_id_of(user_id), issue_id and issue_id_of(issue_id)
        entries = self.ledger.history(user)
        return (each for each in entries if issue is None or each.event.issue_id == issue)

    def override(self, user_id: str, issue_id: str, value: float) -> Receipt:
        """Set the base of an engagement's score from now on, until a later interaction (R6)."""
        return self.ledger.override(override_of(user_id, issue_id, value, occurred_at=self.clock()))

    def erase(self, user_id: str) -> None:
        """Forget the user: what happened before now is nobody's, and is not recorded again.

        Raises TracesLeftError where copies may be left in files; calling it again removes them.
        """
        self.ledger.erase(user_id_of(user_id), self._instant(None))

    def refresh_scores(self, idle_longer_than_days: int, user_id: str | None = None) -> int:
        """Bring the read model's score column up to the present; one user's, or everybody's.

        Returns how many of those engagements have been idle for more than the given days.
        """
        return self.read_model.refresh(
            self.ledger.database,
            self._instant(None),
            idle_longer_than_days,
            user_id and user_id_of(user_id),
        )

    def count_dormant(self) -> int:
        """Return how many of everybody's engagements are dormant now."""
        with self.ledger.database.read() as connection:
            return read_model.dormant_count(connection, self._instant(None), self.policy)

    def replay(self, *, repair: bool, progress: replay.Progress) -> replay.Replay:
        """Fold every event again; compare with the read model, or write it anew."""
        work = replay.repair if repair else replay.compare
        return work(self.ledger.database, self.read_model, progress)

    def close(self) -> None:
        """Finish what was submitted and close the ledger."""
        self.ledger.close()

    def __enter__(self) -> Self:
        """Return the engagements; they are closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ledger."""
        self.close()

    def _past(self, user_id: str, at: dt.datetime) -> list[tuple[str, Engagement]]:
        until = instant_of(at)
        groups: dict[str, list[EventRow]] = defaultdict(list)
        for row in self.ledger.rows_of(user_id):
            if row.occurred_at <= until:
                groups[row.issue_id].append(row)
        folded = ((issue, fold(rows)) for issue, rows in groups.items())
        return [(issue, engagement) for issue, engagement in folded if engagement.count]

    def _instant(self, at: dt.datetime | None) -> Instant:
        return instant_of(self.clock() if at is None else at)


class EngagementStats(TypedDict):
    """The five totals of a user, under the names of the API."""

    total_interactions: int
    unique_issues: int
    avg_interactions_per_issue: float
    most_engaged_issues: list[tuple[str, float]]
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


class IssueEngagementRepository:
    """The synchronous door, in the words of the read model; any thread may use it."""

    def __init__(self, engagements: Engagements) -> None:
        """Record and ask through `engagements`, which the caller closes."""
        self._engagements = engagements

    def record_interaction(  # noqa: PLR0913, PLR0917 - the API's signature
        self,
        user_id: str,
        issue_id: str,
        interaction_type: str,
        linear_id: str | None = None,
        context: str | None = None,
        extra_metadata: Mapping[str, Any] | None = None,
        *,
        source_key: SourceKey | str | None = None,
        occurred_at: dt.datetime | None = None,
    ) -> IssueEngagement:
        """Record one interaction durably and return the engagement that it belongs to.

        Raises what `EngagementTracker.track_issue_mention` raises.
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
        self._engagements.ledger.record(interaction)
        return self._changed(user_id, issue_id)

    def get_engagement(self, user_id: str, issue_id: str) -> IssueEngagement | None:
        """Return the engagement, or None for a user who never touched the issue."""
        shown = self._shown(user_id, [self._engagements.ask(user_id, issue_id)])
        return shown[0] if shown else None

    def get_all_engagements(self, user_id: str, min_score: float = 0.0) -> list[IssueEngagement]:
        """Return all engagements that score at least `min_score`, the highest first."""
        ranked = self._engagements.ranking(user_id)
        return self._shown(user_id, [each for each in ranked if each.score.value >= min_score])

    def get_top_engaged(self, user_id: str, limit: int = 10) -> list[IssueEngagement]:
        """Return the first `limit` engagements without the dormant."""
        return self._shown(user_id, self._engagements.top(user_id, limit))

    def update_score(self, user_id: str, issue_id: str, score: float) -> IssueEngagement:
        """Override the score's base with `score` until a later interaction (R6).

        Raises InvalidScoreError, a ValueError ("Score must be between 0.0 and 1.0, …"), and
        UnknownEngagementError where the user never touched the issue.
        """
        self._engagements.override(user_id, issue_id, score)
        return self._changed(user_id, issue_id)

    def decay_old_engagements(
        self, user_id: str, days_threshold: int = 30, decay_factor: float = 0.1
    ) -> int:
        """Bring the user's score column up to date; return how many are idle for longer.

        `decay_factor` must be the policy's: raises ValueError for another one.
        """
        if not 0.0 <= decay_factor <= 1.0:
            message = f"decay_factor must be between 0.0 and 1.0, not {decay_factor!r}"
            raise ValueError(message)
        in_force = self._engagements.policy.decay_rate_per_day
        if decay_factor != in_force:
            message = (
                f"decay_factor is {in_force} in the policy in force; scores with another one "
                "need another ScoringPolicy, not another call"
            )
            raise ValueError(message)
        return self._engagements.refresh_scores(days_threshold, user_id)

    def _changed(self, user_id: str, issue_id: str) -> IssueEngagement:
        shown = self.get_engagement(user_id, issue_id)
        if shown is None:  # forgotten since
            raise OptedOutError
        return shown

    def _shown(self, user_id: str, ranked: Iterable[Ranked]) -> list[IssueEngagement]:
        now = self._engagements.clock()
        with self._engagements.ledger.database.read() as connection:
            details = [
                (each, read_model.details_of(connection, user_id, each.issue_id))
                for each in ranked
                if each.engagement.count
            ]
        # What has no details any more was forgotten between the two looks.
        return [_issue_engagement(user_id, each, kept, now) for each, kept in details if kept]


def _issue_engagement(
    user_id: str, ranked: Ranked, details: read_model.Details, now: dt.datetime
) -> IssueEngagement:
    issue_id, engagement, current = ranked
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
        policy_version=DEFAULT_POLICY_VERSION,
    )
