"""Histories of webhooks: random changes of issues in a workspace, in the order they happened."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bot.linear.demo.webhooks import Delivery, Webhooks, issue_body
from bot.linear.demo.workspace import PEOPLE, PRIORITIES, STATES, Invented, Workspace, empty
from bot.linear.webhooks import meaning_of
from ledger.instants import Instant, instant_of
from ledger.observations import Observation
from tests.support.strategies import HOUR, NOON, Clock

RETRIED_AFTER = (0, HOUR // 60, HOUR + HOUR // 60, 7 * HOUR + HOUR // 60)
"""After how many microseconds Linear sends a webhook, and sends it again."""
SOME_AT_ONCE = (0, 1, 1_000, 60_000_000, HOUR // 7)
"""Pauses between changes, some of which are then within one millisecond."""
VALUES = {"state": tuple(STATES), "assignee": (*PEOPLE, ""), "priority": PRIORITIES}


class Arrived(NamedTuple):
    """A webhook's body, and when it arrives."""

    at: Instant
    body: bytes


class History:
    """Webhooks of changes, and the workspace as it is after all of them."""

    def __init__(
        self,
        chance: random.Random,
        changes: int,
        issues: int,
        pauses: Sequence[int] = SOME_AT_ONCE,
    ) -> None:
        """Make the changes, so many microseconds apart."""
        self.clock = Clock()
        self.workspace: Workspace = empty()
        self._webhooks = Webhooks(_nowhere, self.clock)
        self._chance = chance
        self.ambiguous: set[str] = set()
        """Issues that changed twice in one millisecond, so that nothing says which came last."""
        self.sent: list[Delivery] = [self._created(number) for number in range(1, issues + 1)]
        for _ in range(changes - issues):
            self.clock.move(chance.choice(pauses))
            self.sent.append(self._changed())

    @property
    def spanned(self) -> int:
        """The microseconds from the first change to the last."""
        return self.clock.at - NOON

    @property
    def keys(self) -> list[str]:
        """The identifiers of all issues."""
        return [each["identifier"] for each in self.workspace.issues]

    def in_order(self) -> list[Arrived]:
        """Each webhook once, at once."""
        return [Arrived(instant_of(each.due_at), each.body) for each in self.sent]

    def in_any_order(self, chance: random.Random) -> list[Arrived]:
        """Each webhook once or several times, each time as late as Linear may send it."""
        arrived = [each for sent in self.in_order() for each in _delayed(sent, chance)]
        return sorted(arrived, key=lambda each: each.at)

    def _created(self, number: int) -> Delivery:
        issue = self.workspace.add(Invented(f"AI-{number}", f"Title {number}"), self.clock())
        return self._webhooks.add("Issue", "create", **issue_body(self.workspace, issue))

    def _changed(self) -> Delivery:
        key, field = self._chance.choice(self.keys), self._chance.choice(sorted(VALUES))
        value = self._chance.choice(VALUES[field])
        issue, before = self.workspace.change(key, field, value, self.clock())
        if before["updatedAt"] == issue["updatedAt"]:
            self.ambiguous.add(key)
        fields = issue_body(self.workspace, issue) | {"updatedFrom": before}
        return self._webhooks.add("Issue", "update", **fields)


async def _nowhere(*_: object) -> None:
    """Send nothing."""


def _delayed(sent: Arrived, chance: random.Random) -> Iterator[Arrived]:
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        late = chance.choice(RETRIED_AFTER) + chance.randrange(HOUR // 60)
        yield Arrived(Instant(sent.at + late), sent.body)


def observations(arrived: Sequence[Arrived]) -> list[Observation]:
    """The observations that the webhooks make as they arrive, all of which can be read."""
    meanings = [meaning_of(each.body, each.at) for each in arrived]
    found = [each for each in meanings if isinstance(each, Observation)]
    assert len(found) == len(arrived)
    return found
