"""The ledger: immutable events of users touching issues, and the store that keeps them.

The public names, each imported on first use, so that the pure modules here load no database.
"""

from typing import TYPE_CHECKING

from ledger.lazy_imports import lazy_names

if TYPE_CHECKING:
    from ledger.application import EngagementLedger, HistoryEntry, Receipt, environment
    from ledger.commands import Interaction, Kind, OptOut, interaction_of
    from ledger.errors import (
        ClockBehindError,
        InvalidInteractionError,
        LedgerError,
        LedgerUnavailableError,
        OptedOutError,
        SettingsError,
        TracesLeftError,
        UnknownEngagementError,
    )
    from ledger.idempotency import SourceKey
    from ledger.instants import instant_of, moment_of
    from ledger.observations import Observation, Person, Text

__all__ = [
    "ClockBehindError",
    "EngagementLedger",
    "HistoryEntry",
    "Interaction",
    "InvalidInteractionError",
    "Kind",
    "LedgerError",
    "LedgerUnavailableError",
    "Observation",
    "OptOut",
    "OptedOutError",
    "Person",
    "Receipt",
    "SettingsError",
    "SourceKey",
    "Text",
    "TracesLeftError",
    "UnknownEngagementError",
    "environment",
    "instant_of",
    "interaction_of",
    "moment_of",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ledger.application": ["EngagementLedger", "HistoryEntry", "Receipt", "environment"],
        "ledger.commands": ["Interaction", "Kind", "OptOut", "interaction_of"],
        "ledger.errors": [
            "ClockBehindError",
            "InvalidInteractionError",
            "LedgerError",
            "LedgerUnavailableError",
            "OptedOutError",
            "SettingsError",
            "TracesLeftError",
            "UnknownEngagementError",
        ],
        "ledger.idempotency": ["SourceKey"],
        "ledger.instants": ["instant_of", "moment_of"],
        "ledger.observations": ["Observation", "Person", "Text"],
    },
)
