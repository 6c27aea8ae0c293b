"""Statistics of one user: what the engagements add up to."""

from collections.abc import Sequence

import msgspec

from ledger.instants import Instant
from projections.ranking import Ranked, top

MOST_ENGAGED_ISSUES = 5


class Statistics(msgspec.Struct, frozen=True):
    """Totals over all engagements, dormant ones too; `most_engaged_issues` leaves those out."""

    total_interactions: int
    unique_issues: int
    avg_interactions_per_issue: float
    most_engaged_issues: list[tuple[str, float]]
    last_interaction: Instant | None


def statistics(ranked: Sequence[Ranked]) -> Statistics:
    """Return the statistics of a user's whole ranking; zeros, empty and None without any."""
    total = sum(each.engagement.count for each in ranked)
    last = [each.engagement.last_at for each in ranked if each.engagement.last_at is not None]
    return Statistics(
        total_interactions=total,
        unique_issues=len(ranked),
        avg_interactions_per_issue=round(total / len(ranked), 2) if ranked else 0.0,
        most_engaged_issues=[
            (each.issue_id, each.score.value) for each in top(ranked, MOST_ENGAGED_ISSUES)
        ],
        last_interaction=Instant(max(last)) if last else None,
    )
