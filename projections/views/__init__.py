"""Projections kept in the ledger's database, all of them derived: replay brings them back.

The modules that need Arrow are imported when they are first asked for by their name in here: what
is asked of the present needs none of them, and starts sooner.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from projections.views import (
        certificate,
        columnar_rows,
        folding,
        past,
        policy_trial,
        replay,
        replays,
        sealing,
        verification,
    )

__all__ = [
    "certificate",
    "columnar_rows",
    "folding",
    "past",
    "policy_trial",
    "replay",
    "replays",
    "sealing",
    "verification",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    """Import a module that needs Arrow."""
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
