"""Helpers of the tests of scheduled work."""

import datetime as dt
from zoneinfo import ZoneInfo

from bot.dates.job_days import CLEANUP, DECAY
from ledger.commands import interaction_of
from ledger.store.job_runs import JobRuns
from projections.application import Engagements

ZONE = ZoneInfo("Europe/Berlin")

YESTERDAY = dt.date(2025, 12, 31)
"""The last day that was over when the tests' clocks begin."""

SUNDAY = dt.date(2025, 12, 28)
"""The last one then."""

UNDER_DECAY, DORMANT = 2, 1


def touch(engagements: Engagements, user: str, issue: str) -> None:
    """Record an interaction now."""
    engagements.ledger.record(interaction_of(user, issue, "query"))


def done(engagements: Engagements) -> tuple[list[dt.date], list[dt.date]]:
    """The days of both jobs that are done."""
    database = engagements.ledger.database
    return JobRuns(database).days(DECAY.job), JobRuns(database).days(CLEANUP.job)
