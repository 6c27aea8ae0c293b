"""The interactions that the trials record: numbered, each with a key of its own."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from ledger.commands import Interaction, interaction_of

FIRST = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
KINDS = ("query", "view", "mention")
USERS, ISSUES = 7, 40


class Touch(NamedTuple):
    """One interaction; `key` is its source key, and `name` tells the process that records it."""

    name: str
    number: int

    @property
    def key(self) -> str:
        """The source key."""
        return f"{self.name}-{self.number}"

    @property
    def user(self) -> str:
        """Who touched."""
        return f"user {self.number % USERS}"

    @property
    def issue(self) -> str:
        """What was touched."""
        return f"AI-{self.number % ISSUES}"

    @property
    def interaction(self) -> Interaction:
        """The same, ready to be recorded."""
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
        """The same as a row of CSV, with its key."""
        at = FIRST + dt.timedelta(minutes=self.number)
        kind = KINDS[self.number % len(KINDS)]
        return f"{at.isoformat()},{self.user},{self.issue},{kind},,{self.key}"


CSV_HEADER = "occurred_at,user,issue_id,kind,context,key"


def touches(name: str, count: int) -> list[Touch]:
    """The first `count` interactions of one name."""
    return [Touch(name, number) for number in range(count)]


def totals(of: Iterable[Touch]) -> Counter[tuple[str, str]]:
    """How often each user has touched each issue by then."""
    return Counter((touch.user, touch.issue) for touch in of)
