"""Engagements, and two client interfaces: EngagementTracker and IssueEngagementRepository.

The client interfaces are imported on first use, since most commands need neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from projections.application.engagements import Engagements

if TYPE_CHECKING:
    from projections.application.client_api import (
        EngagementStats,
        EngagementTracker,
        IssueEngagement,
        IssueEngagementRepository,
        engagement_stats,
    )

__all__ = [
    "EngagementStats",
    "EngagementTracker",
    "Engagements",
    "IssueEngagement",
    "IssueEngagementRepository",
    "engagement_stats",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    """Import a name of one of the client interfaces."""
    if name in __all__:
        return getattr(import_module(f"{__name__}.client_api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
