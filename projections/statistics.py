"""Statistics of one user's engagements."""

from collections.abc import Sequence

import msgspec

from ledger.instants import Instant
from projections.ranking import Ranked

MOST_ENGAGED_ISSUES = 5


class Statistics(msgspec.Struct, frozen=True):
    """Totals over all engagements; `most_engaged` are the first five that are not hidden."""

    total_interactions: int
    unique_issues: int
    avg_interactions_per_issue: float
    most_engaged: list[Ranked]
    last_interaction: Instant | None

    @property
    def most_engaged_issues(self) -> list[str]:
        """The ids of the most engaged issues."""
        return [each.issue_id for each in self.most_engaged]


class Totals(msgspec.Struct, frozen=True):
    """Sums over all engagements of one user; `last_at` is None without any."""

    interactions: int
    issues: int
    last_at: Instant | None


def statistics(totals: Totals, first: Sequence[Ranked]) -> Statistics:
    """Combine the totals and the first few of the ranking."""
    issues = totals.issues
    return Statistics(
        total_interactions=totals.interactions,
        unique_issues=issues,
        avg_interactions_per_issue=round(totals.interactions / issues, 2) if issues else 0.0,
        most_engaged=list(first[:MOST_ENGAGED_ISSUES]),
        last_interaction=totals.last_at,
    )
