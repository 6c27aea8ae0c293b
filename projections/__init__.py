"""Projections: engagements, scores and rankings, computed from the ledger's events.

The two client interfaces are imported on first use, so that the pure modules here load no database.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engagement_ledger import require_own

if TYPE_CHECKING:
    from projections.application import EngagementTracker, IssueEngagementRepository

require_own("ledger")

__all__ = ["EngagementTracker", "IssueEngagementRepository"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    """Import one of the two client interfaces."""
    if name in __all__:
        return getattr(import_module("projections.application"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
