"""Projections stored in the ledger's database, all derived: replay brings them back.

The modules that need Arrow are imported on first use, because questions about the present need none
of them.
"""

from typing import TYPE_CHECKING

from ledger.lazy_modules import lazy_modules

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
        tail_folds,
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
    "tail_folds",
    "verification",
]

__getattr__ = lazy_modules(__name__, __all__)
