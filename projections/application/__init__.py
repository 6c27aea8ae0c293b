"""Engagements, and two doors to them: EngagementTracker and IssueEngagementRepository."""

from projections.application.engagements import Engagements
from projections.application.repository import IssueEngagement, IssueEngagementRepository
from projections.application.tracker import EngagementStats, EngagementTracker, engagement_stats

__all__ = [
    "EngagementStats",
    "EngagementTracker",
    "Engagements",
    "IssueEngagement",
    "IssueEngagementRepository",
    "engagement_stats",
]
