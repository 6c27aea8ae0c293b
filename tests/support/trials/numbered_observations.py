"""Numbered observations of few issues, each of which says something else."""

import datetime as dt
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from ledger.instants import Instant
from ledger.observations import Observation, Person, Text
from projections.application import Engagements
from projections.application.issues import KnownIssue
from tests.support.observations import DAY_ONE, STATE_TYPES, observation, uuid

ISSUES, PEOPLE = 40, 7
MINUTE = 60_000_000
FAULT = "early"


def numbered(number: int) -> Observation:
    """The observation with this number, as a webhook says it."""
    issue, at = number % ISSUES, Instant(DAY_ONE + number * MINUTE)
    return observation(
        issue,
        updated_at=at,
        said_at=Instant(at + number % 3),
        state_type=STATE_TYPES[number // ISSUES % len(STATE_TYPES)],
        priority=number % 5,
        estimate=float(number),
        assignee=Person(uuid(1000 + number % PEOPLE), f"person {number % PEOPLE}"),
        texts=(Text(uuid(issue), f"title {number}"),),
    )


def story(count: int, dice: random.Random) -> list[Observation]:
    """`count` observations in the order in which Linear says them.

    Some do not say all fields, some move an issue to another key, and some say other blockers of an
    issue that has not changed.
    """
    last: dict[int, Observation] = {}
    told = []
    for number in range(count):
        issue = number % max(1, count // 10)
        before = last.get(issue)
        if before is not None and dice.random() < 0.2:
            said = _blocked(before, number)
        else:
            said = _changed(issue, number, dice)
        last[issue] = said
        told.append(said)
    return told


def _blocked(before: Observation, number: int) -> Observation:
    blockers, at = (uuid(10**6 + number),), Instant(DAY_ONE + number * MINUTE)
    return msgspec.structs.replace(before, blockers=blockers, said_at=at, texts=())


def _changed(issue: int, number: int, dice: random.Random) -> Observation:
    at = Instant(DAY_ONE + number * MINUTE)
    key = issue if dice.random() < 0.9 else dice.randrange(issue + 5)
    optional: dict[str, Any] = {
        "former_identifiers": (f"AI-{issue}",),
        "priority": dice.randrange(5),
        "assignee": dice.choice([None, Person(uuid(1000 + dice.randrange(PEOPLE)), "Amara")]),
        "labels": (uuid(2000 + dice.randrange(3)),),
        "due_date": dt.date(2026, 1, 1) + dt.timedelta(dice.randrange(9)),
        "actor": Person(uuid(1000 + dice.randrange(PEOPLE))),
    }
    chosen = {name: value for name, value in optional.items() if dice.random() < 0.7}
    return observation(
        issue,
        identifier=f"AI-{key}",
        updated_at=at,
        said_at=at,
        state_type=dice.choice(STATE_TYPES),
        removed=dice.random() < 0.02,
        texts=(Text(uuid(issue), f"title {dice.randrange(4)}"),),
        **chosen,
    )


def observe(url: str, count: str, how: str = "") -> None:
    """Record numbered observations, and print each number once it is durable.

    With the fault, it is printed before.
    """
    with Engagements(url) as engagements:
        for number in range(int(count)):
            if how == FAULT:
                print(number, flush=True)  # noqa: T201 - it is how these programs report
            engagements.ledger.record(numbered(number))
            if how != FAULT:
                print(number, flush=True)  # noqa: T201 - as above


def comparable(issue: KnownIssue | None) -> object:
    """Everything about an issue, with Linear's ids of people instead of random accounts."""
    if issue is None:
        return None
    people = sorted((person.id, person.name) for person in issue.people.values())
    return msgspec.structs.replace(issue.at, assignee=None), people, issue.spans, issue.texts


def keys_of(told: Sequence[Observation]) -> list[str]:
    """All keys that observations name."""
    return sorted({each.identifier for each in told})
