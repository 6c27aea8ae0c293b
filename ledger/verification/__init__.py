"""The checks of a verification: one module for each kind of thing that can be damaged.

`truth`, which runs them all, needs Arrow, and is imported when it is first asked for by its name.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger.verification import truth

__all__ = ["truth"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    """Import a module that needs Arrow."""
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
