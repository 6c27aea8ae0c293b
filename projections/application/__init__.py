"""Engagements, and two client interfaces: EngagementTracker and IssueEngagementRepository.

Every name is imported on first use, since most commands need few of them.
"""

from typing import TYPE_CHECKING

from ledger.lazy_imports import lazy_names

if TYPE_CHECKING:
    from projections.application.adjustments import Adjustments
    from projections.application.audit_reader import Audited, read_audit
    from projections.application.client_api import (
        EngagementStats,
        EngagementTracker,
        IssueEngagement,
        IssueEngagementRepository,
        engagement_stats,
    )
    from projections.application.engagements import Engagements
    from projections.application.inspection import Inspection
    from projections.application.issues import Issues, KnownIssue, Naming, RecordedKeys
    from projections.application.maintenance import Maintenance
    from projections.application.policy_history import PolicyHistory
    from projections.application.questions import Questions
    from projections.read_model.catalog import Watermark
    from projections.read_model.compare import Verification
    from projections.read_model.past_queries import Affected, PolicyTrial
    from projections.read_model.rebuild import Compared, Replays
    from projections.read_model.replay import Replay

__all__ = [
    "Adjustments",
    "Affected",
    "Audited",
    "Compared",
    "EngagementStats",
    "EngagementTracker",
    "Engagements",
    "Inspection",
    "IssueEngagement",
    "IssueEngagementRepository",
    "Issues",
    "KnownIssue",
    "Maintenance",
    "Naming",
    "PolicyHistory",
    "PolicyTrial",
    "Questions",
    "RecordedKeys",
    "Replay",
    "Replays",
    "Verification",
    "Watermark",
    "engagement_stats",
    "read_audit",
]

__getattr__ = lazy_names(
    __name__,
    {
        "projections.application.adjustments": ["Adjustments"],
        "projections.application.audit_reader": ["Audited", "read_audit"],
        "projections.application.client_api": [
            "EngagementStats",
            "EngagementTracker",
            "IssueEngagement",
            "IssueEngagementRepository",
            "engagement_stats",
        ],
        "projections.application.engagements": ["Engagements"],
        "projections.application.inspection": ["Inspection"],
        "projections.application.issues": ["Issues", "KnownIssue", "Naming", "RecordedKeys"],
        "projections.application.maintenance": ["Maintenance"],
        "projections.application.policy_history": ["PolicyHistory"],
        "projections.application.questions": ["Questions"],
        "projections.read_model.catalog": ["Watermark"],
        "projections.read_model.compare": ["Verification"],
        "projections.read_model.past_queries": ["Affected", "PolicyTrial"],
        "projections.read_model.rebuild": ["Compared", "Replays"],
        "projections.read_model.replay": ["Replay"],
    },
)
