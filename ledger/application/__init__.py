"""The ledger put together, and what its methods take and return; imports of histories.

Every name is imported on first use, since most commands need few of them.
"""

from typing import TYPE_CHECKING

from ledger.lazy_imports import lazy_names

if TYPE_CHECKING:
    from ledger.application.clock_history import ClockHistory
    from ledger.application.configuration import configured_url, environment
    from ledger.application.ledger import EngagementLedger
    from ledger.clock import Clock, utc_now
    from ledger.intake.git_history import (
        LEFT_OUT,
        Repository,
        UserMapRow,
        contacts_in,
        read_git,
        read_user_map,
        repository_at,
        user_map_of,
    )
    from ledger.intake.history import (
        READING_FAILS,
        Recorder,
        reason_unreadable,
        record_history,
        unpacked,
    )
    from ledger.intake.preview import Preview
    from ledger.intake.reading_ahead import reading_ahead
    from ledger.store.accounts import User
    from ledger.store.append import Receipt
    from ledger.store.compaction import Compaction, Compactor
    from ledger.store.event_queries import HistoryEntry, Span
    from ledger.store.job_runs import JobRuns
    from ledger.store.linear_links import LinearLinks, Linked
    from ledger.verification.findings import Finding

__all__ = [
    "LEFT_OUT",
    "READING_FAILS",
    "Clock",
    "ClockHistory",
    "Compaction",
    "Compactor",
    "EngagementLedger",
    "Finding",
    "HistoryEntry",
    "JobRuns",
    "LinearLinks",
    "Linked",
    "Preview",
    "Receipt",
    "Recorder",
    "Repository",
    "Span",
    "User",
    "UserMapRow",
    "configured_url",
    "contacts_in",
    "environment",
    "read_git",
    "read_user_map",
    "reading_ahead",
    "reason_unreadable",
    "record_history",
    "repository_at",
    "unpacked",
    "user_map_of",
    "utc_now",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ledger.application.clock_history": ["ClockHistory"],
        "ledger.application.configuration": ["configured_url", "environment"],
        "ledger.application.ledger": ["EngagementLedger"],
        "ledger.clock": ["Clock", "utc_now"],
        "ledger.intake.git_history": [
            *("LEFT_OUT", "Repository", "UserMapRow", "contacts_in", "read_git"),
            *("read_user_map", "repository_at", "user_map_of"),
        ],
        "ledger.intake.history": [
            *("READING_FAILS", "Recorder", "reason_unreadable", "record_history", "unpacked"),
        ],
        "ledger.intake.preview": ["Preview"],
        "ledger.intake.reading_ahead": ["reading_ahead"],
        "ledger.store.accounts": ["User"],
        "ledger.store.append": ["Receipt"],
        "ledger.store.compaction": ["Compaction", "Compactor"],
        "ledger.store.event_queries": ["HistoryEntry", "Span"],
        "ledger.store.job_runs": ["JobRuns"],
        "ledger.store.linear_links": ["Linked", "LinearLinks"],
        "ledger.verification.findings": ["Finding"],
    },
)
