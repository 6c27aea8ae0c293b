"""Projections: engagements, scores and rankings, computed from the ledger's events.

The public names, each imported on first use, so that the pure modules here load no database.
"""

from typing import TYPE_CHECKING

from engagement_ledger import require_own

if TYPE_CHECKING:
    from projections.application import (
        Adjustments,
        Engagements,
        EngagementStats,
        EngagementTracker,
        IssueEngagement,
        IssueEngagementRepository,
        Issues,
        KnownIssue,
        Maintenance,
        PolicyHistory,
        Questions,
    )
    from projections.engagement import Engagement, fold, merge
    from projections.policy import ScoringPolicy, changed
    from projections.ranking import Ranked
    from projections.scoring import Score, score
    from projections.statistics import Statistics
    from projections.timeline import ScoreSeries, score_series

require_own("ledger")

from ledger.lazy_imports import lazy_names  # noqa: E402 - only now it is known to be ours

__all__ = [
    "Adjustments",
    "Engagement",
    "EngagementStats",
    "EngagementTracker",
    "Engagements",
    "IssueEngagement",
    "IssueEngagementRepository",
    "Issues",
    "KnownIssue",
    "Maintenance",
    "PolicyHistory",
    "Questions",
    "Ranked",
    "Score",
    "ScoreSeries",
    "ScoringPolicy",
    "Statistics",
    "changed",
    "fold",
    "merge",
    "score",
    "score_series",
]

__getattr__ = lazy_names(
    __name__,
    {
        "projections.application": [
            "Adjustments",
            "EngagementStats",
            "EngagementTracker",
            "Engagements",
            "IssueEngagement",
            "IssueEngagementRepository",
            "Issues",
            "KnownIssue",
            "Maintenance",
            "PolicyHistory",
            "Questions",
        ],
        "projections.engagement": ["Engagement", "fold", "merge"],
        "projections.policy": ["ScoringPolicy", "changed"],
        "projections.ranking": ["Ranked"],
        "projections.scoring": ["Score", "score"],
        "projections.statistics": ["Statistics"],
        "projections.timeline": ["ScoreSeries", "score_series"],
    },
)
