"""Projections stored in the ledger's database, all derived: replay brings them back.

The modules that need Arrow are imported on first use, because questions about the present need none
of them.
"""

from typing import TYPE_CHECKING

from ledger.lazy_imports import lazy_modules

if TYPE_CHECKING:
    from projections.read_model import (
        certificate,
        columnar_fold,
        compare,
        duckdb_check,
        full_fold,
        keys_of_issues,
        latest_observations,
        moved_issues,
        past_queries,
        rebuild,
        replay,
        snapshots,
    )

__all__ = [
    "certificate",
    "columnar_fold",
    "compare",
    "duckdb_check",
    "full_fold",
    "keys_of_issues",
    "latest_observations",
    "moved_issues",
    "past_queries",
    "rebuild",
    "replay",
    "snapshots",
]

__getattr__ = lazy_modules(__name__, __all__)
