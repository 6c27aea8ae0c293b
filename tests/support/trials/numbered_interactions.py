"""Numbered interactions, each with its own source key, for trials to record."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from ledger.commands import Interaction, interaction_of

FIRST = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
KINDS = ("query", "view", "mention")
USERS, ISSUES = 7, 40


class Touch(NamedTuple):
    """One interaction; `name` identifies the process that records it."""

    name: str
    number: int

    @property
    def key(self) -> str:
        """The source key of the interaction."""
        return f"{self.name}-{self.number}"

    @property
    def user(self) -> str:
        """The user who touches the issue."""
        return f"user {self.number % USERS}"

    @property
    def issue(self) -> str:
        """The issue that is touched."""
        return f"AI-{self.number % ISSUES}"

    @property
    def interaction(self) -> Interaction:
        """The interaction as the ledger records it."""
        return interaction_of(
            self.user,
            self.issue,
            KINDS[self.number % len(KINDS)],
            occurred_at=FIRST + dt.timedelta(minutes=self.number),
            context=f"number {self.number} of {self.name}",
            source_key=self.key,
        )

    @property
    def row(self) -> str:
        """The interaction as a row of CSV, with its key."""
        at = FIRST + dt.timedelta(minutes=self.number)
        kind = KINDS[self.number % len(KINDS)]
        return f"{at.isoformat()},{self.user},{self.issue},{kind},,{self.key}"


CSV_HEADER = "occurred_at,user,issue_id,kind,context,key"


def touches(name: str, count: int) -> list[Touch]:
    """The first `count` interactions of one name."""
    return [Touch(name, number) for number in range(count)]


def totals(of: Iterable[Touch]) -> Counter[tuple[str, str]]:
    """The number of touches of each issue by each user."""
    return Counter((touch.user, touch.issue) for touch in of)
