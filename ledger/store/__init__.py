"""The store: PERSISTENCE_MODULE for the eventsourcing package, on SQLAlchemy Core.

The modules that need Arrow are imported when they are first asked for by their name in here:
recording needs none of them, and starts sooner.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ledger.store.factory import StoreFactory

if TYPE_CHECKING:
    from ledger.store import (
        compaction,
        expiry,
        histories,
        ordered_history,
        recovery,
        sealed_events,
        spans,
    )

__all__ = [
    "StoreFactory",
    "compaction",
    "expiry",
    "histories",
    "ordered_history",
    "recovery",
    "sealed_events",
    "spans",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    """Import a module that needs Arrow."""
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
