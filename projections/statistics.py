"""Statistics of one user: what the engagements add up to."""

from collections.abc import Sequence

import msgspec

from ledger.instants import Instant
from projections.ranking import Ranked

MOST_ENGAGED_ISSUES = 5


class Statistics(msgspec.Struct, frozen=True):
    """Totals over all engagements; `most_engaged` are the first five of their ranking."""

    total_interactions: int
    unique_issues: int
    avg_interactions_per_issue: float
    most_engaged: list[Ranked]
    last_interaction: Instant | None

    @property
    def most_engaged_issues(self) -> list[str]:
        """The ids of the most engaged issues."""
        return [each.issue_id for each in self.most_engaged]


def statistics(ranked: Sequence[Ranked]) -> Statistics:
    """Return the statistics of a user's whole ranking; zeros, empty and None without any."""
    total = sum(each.engagement.count for each in ranked)
    last = [each.engagement.last_at for each in ranked if each.engagement.last_at is not None]
    return Statistics(
        total_interactions=total,
        unique_issues=len(ranked),
        avg_interactions_per_issue=round(total / len(ranked), 2) if ranked else 0.0,
        most_engaged=list(ranked[:MOST_ENGAGED_ISSUES]),
        last_interaction=Instant(max(last)) if last else None,
    )
