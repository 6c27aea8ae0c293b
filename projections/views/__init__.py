"""Projections kept in the ledger's database, all of them derived: replay brings them back.

The modules that need Arrow are imported when they are first asked for by their name in here: what
is asked of the present needs none of them, and starts sooner.
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
