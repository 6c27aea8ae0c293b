"""Histories made up in the shape of real ones, the same in every run.

Real sets have 1.1 to 1.9 events for each engagement, users and issues of some ten characters, and
contexts of some sixty; a few users are responsible for most of it.
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

from ledger.commands import Interaction, interaction_of
from ledger.idempotency import SourceKey
from ledger.instants import instant_of

EVENTS_PER_ENGAGEMENT = 1.3
"""As in the real sets."""

FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)
YEARS = 5
LAST_DAY = FIRST_DAY + timedelta(days=365 * YEARS)

_SEED = 1799
_SKEW = 3  # the first of 400 users does a seventh of it all
_KINDS = ("mention",) * 7 + ("view",) * 2 + ("query",)
_TEXT = """merge pull request fix broken test of the renderer when cache is cold add missing locale
    to export handle empty reply from server bump version after review speed up start"""
_WORDS = _TEXT.split()


T = TypeVar("T")


class Touch(NamedTuple):
    """One interaction as its source tells it."""

    number: int
    user_id: str
    issue_id: str
    kind: str
    occurred_at: datetime
    context: str


def history(
    events: int, users: int, events_per_engagement: float = EVENTS_PER_ENGAGEMENT, first: int = 0
) -> Iterator[Touch]:
    """Yield `events` touches, numbered from `first`, in the order in which they occurred."""
    random = Random(_SEED + first)
    pairs = _pairs(events, users, events_per_engagement, random)
    step = timedelta(days=365 * YEARS) / events
    for number, (user_id, issue_id) in enumerate(pairs):
        occurred_at = (FIRST_DAY + number * step).replace(microsecond=0)
        yield Touch(
            first + number, user_id, issue_id, random.choice(_KINDS), occurred_at, _context(random)
        )


def one_user(engagements: int) -> Iterator[Touch]:
    """Yield a history of one user with so many issues, once or twice each, over two years."""
    random = Random(_SEED)
    issues = [issue for issue in range(engagements) for _ in range(random.choice((1, 1, 1, 1, 2)))]
    random.shuffle(issues)
    step = timedelta(days=730) / len(issues)
    for number, issue in enumerate(issues):
        occurred_at = LAST_DAY - timedelta(days=730) + number * step
        yield Touch(number, user_name(0), f"WORK-{issue}", "query", occurred_at, _context(random))


def batches(touches: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size`, the last one maybe shorter."""
    iterator = iter(touches)
    while batch := list(islice(iterator, size)):
        yield batch


def user_name(number: int) -> str:
    """Return the id of a user, eleven characters long."""
    return f"u{number * 2_654_435_761 % 2**40:010x}"


def key_of(touch: Touch) -> str:
    """Return a source key as a supergroup's messages have it, another one for each touch."""
    return f"telegram:-1001234567890:{touch.number}:{touch.issue_id}"


def source_key_of(touch: Touch) -> SourceKey:
    """Return the same key with the message's date."""
    return SourceKey(key_of(touch), dated_at=instant_of(touch.occurred_at))


def interaction(touch: Touch) -> Interaction:
    """Return `touch` as a bot would record it: with a context, a date and a source key."""
    return interaction_of(
        touch.user_id,
        touch.issue_id,
        touch.kind,
        occurred_at=touch.occurred_at,
        context=touch.context,
        source_key=source_key_of(touch),
    )


def write_csv(touches: Iterable[Touch], path: Path) -> None:
    """Write `touches` as a CSV file with the columns of the real sets."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("occurred_at", "user", "issue_id", "kind", "context"))
        for touch in touches:
            moment = touch.occurred_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            writer.writerow((moment, touch.user_id, touch.issue_id, touch.kind, touch.context))


def _pairs(
    events: int, users: int, events_per_engagement: float, random: Random
) -> Iterator[tuple[str, str]]:
    """Yield users and issues, opening engagements evenly, coming back to recent ones mostly."""
    opened: list[tuple[str, str]] = []
    known: set[tuple[str, str]] = set()
    for number in range(events):
        if len(opened) * events_per_engagement <= number:
            opened.append(_new_pair(users, len(opened), known, random))
            yield opened[-1]
        else:
            yield opened[-1 - int(len(opened) * random.random() ** 2)]


def _new_pair(
    users: int, opened: int, known: set[tuple[str, str]], random: Random
) -> tuple[str, str]:
    """Return a user and an issue that are not `known` together; issues are half as many."""
    while True:
        user = user_name(int(users * random.random() ** _SKEW))
        pair = (user, f"WORK-{random.randrange(opened // 2 + 10)}")
        if pair not in known:
            known.add(pair)
            return pair


def _context(random: Random) -> str:
    return " ".join(random.choices(_WORDS, k=11))
