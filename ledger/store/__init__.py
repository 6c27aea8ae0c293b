"""The store: PERSISTENCE_MODULE for the eventsourcing package, on SQLAlchemy Core.

Modules that recording does not need, most of which load Arrow, are imported on first use.
"""

from typing import TYPE_CHECKING

from ledger.lazy_imports import lazy_modules
from ledger.store.eventsourcing_adapter import StoreFactory

if TYPE_CHECKING:
    from ledger.store import (
        compaction,
        event_queries,
        issue_streams,
        recovery,
        retention,
        sealed_observations,
        user_history,
    )

__all__ = [
    "StoreFactory",
    "compaction",
    "event_queries",
    "issue_streams",
    "recovery",
    "retention",
    "sealed_observations",
    "user_history",
]

__getattr__ = lazy_modules(__name__, __all__)
