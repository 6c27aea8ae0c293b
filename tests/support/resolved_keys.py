"""Keys that were recorded before Linear was asked, some of them of issues that moved since.

The local Linear knows the issues. What a ledger answers is compared by `answers`.
"""

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

from bot.linear.demo.workspace import Invented, Workspace, invented
from bot.linear.documents import BATCH
from ledger import store
from ledger.commands import interaction_of
from ledger.instants import moment_of
from projections.application import Engagements
from tests.support.strategies import NOON

USERS = ("ana", "ben", "chi")
TEAMS = {"AI": "public", "WEB": "public", "OPS": "private", "LAW": "private"}


class OldKeys:
    """Keys, most of which name an issue; some named it before it moved, and some name none."""

    def __init__(self, dice: random.Random, many: int) -> None:
        moved, missing = many // 6, many // 10
        self.issues = [
            *(Invented(f"WEB-{n}", "moved", formerly=_formers(n)) for n in range(1, moved + 1)),
            # Two teams have swapped their keys.
            Invented("AI-9001", "one", formerly=("AI-9002",)),
            Invented("AI-9002", "other", formerly=("AI-9001",)),
            *(Invented(f"OPS-{n}", "hidden") for n in range(1, missing + 1)),
        ]
        former = [each for issue in self.issues for each in issue.formerly]
        self.missing = [
            *(f"OPS-{n}" for n in range(1, missing + 1)),
            *(f"LAW-{n}" for n in range(1, missing + 1)),
            *(f"AI-{n}" for n in range(8_000, 8_000 + missing)),
        ]
        both = [f"WEB-{n}" for n in range(1, moved + 1, 2)]
        self.pairs = len(both)
        keys = list(dict.fromkeys([*former, *both, *self.missing]))
        plain = [f"AI-{n}" for n in range(1, many - len(keys) + 1)]
        self.issues += [Invented(each, "plain") for each in plain]
        self.keys = [*keys, *plain]
        dice.shuffle(self.keys)
        self.touches = [(dice.choice(USERS), key) for key in [*self.keys, *self.keys[::2]]]
        self.touches.append(("ana", "RELEASE"))

    def workspace(self) -> Workspace:
        """Linear's side."""
        return invented(moment_of(NOON), self.issues, TEAMS)

    def record(self, engagements: Engagements) -> None:
        """The ledger's side."""
        engagements.ledger.record_many([interaction_of(u, k, "query") for u, k in self.touches])

    def fewest_requests(self, asked: Iterable[Any]) -> int:
        """The batches, and one request for each key that no batch and no other issue answers."""
        singles = {each.variables["id"] for each in asked if "id" in each.variables}
        return -(-len(self.keys) // BATCH) + len(singles)


def _formers(number: int) -> tuple[str, ...]:
    """One or two keys that an issue had before."""
    return (f"DMD-{number}", f"OLD-{number}")[: 1 + number % 2]


def singles(asked: Iterable[Any]) -> Counter[str]:
    """How often each key was asked for on its own."""
    return Counter(each.variables["id"] for each in asked if "id" in each.variables)


def observed(engagements: Engagements) -> set[Any]:
    """The observations in a ledger, apart from when they were made."""
    database = engagements.ledger.database
    with database.read() as connection:
        found = list(store.issue_streams.latest_first(connection, database))
    said = {(e.issue, e.identifier, e.former_identifiers, e.updated_at, e.origin) for e in found}
    assert len(said) == len(found)
    return said


def answers(engagements: Engagements, keys: Iterable[str]) -> dict[str, Any]:
    """The answers of a ledger about these keys."""
    ask = engagements.questions
    entries = [each for user in USERS for each in ask.history(user)]
    return {
        "observed": observed(engagements),
        "top": {user: ask.top(user, 1_000) for user in USERS},
        "statistics": {user: ask.statistics(user) for user in USERS},
        "history": [(each.position, each.name, each.linear_id) for each in entries],
        "by key": {key: [ask.ask(user, key) for user in USERS] for key in keys},
        "linear_ids": engagements.issues.linear_ids((key, None) for key in keys),
    }
