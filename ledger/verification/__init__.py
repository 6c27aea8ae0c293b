"""The checks of a verification, one module for each kind of damage.

`truth`, which runs them all, needs Arrow and is imported on first use.
"""

from typing import TYPE_CHECKING

from ledger.lazy_imports import lazy_modules

if TYPE_CHECKING:
    from ledger.verification import truth

__all__ = ["truth"]

__getattr__ = lazy_modules(__name__, __all__)
