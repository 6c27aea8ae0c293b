"""Histories of any length, made up slab of time by slab in bounded memory, the same in every run.

The skew is that of the real sets: the heaviest user does a tenth of it all, the others share the
rest as 1 / rank, and the issues of a slab, of which there is one for two engagements, are drawn by
Zipf's law. Each engagement has two to four events, which follow one another some days apart, so
that those of many lie in several segments. One event in five hundred is an override, and one issue
in fifty has a Linear id, for which the real sets have no example. Sources tell whole seconds.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ledger.instants import DAY, instant_of
from tests.benchmarks.histories import FIRST_DAY, YEARS

SEED = 1799
USERS = 2_000
HEAVIEST = 0.1
"""The events of the first user."""

EVENTS_PER_ENGAGEMENT = 3.0
"""Two to four, each as often as the others."""

LINEAR_EVERY = 50
"""One in so many issues has a Linear id."""

_SECOND = 1_000_000
_SPAN = YEARS * 365 * DAY
_GAP_DAYS = 2.0
_SHARES = (0.7, 0.2, 0.1)  # of mentions, views and queries
_OVERRIDE_EVERY = 500
_ISSUES_PER_ENGAGEMENT = 0.5
_ZIPF = 0.7

Integers = NDArray[np.int64]


class Slab(NamedTuple):
    """Events in the order in which they occurred; users and issues are numbers.

    `kind` is 0 for an override. Instants are microseconds UTC.
    """

    user: Integers
    issue: Integers
    occurred_at: Integers
    kind: Integers


def slabs(events: int, slab_events: int) -> Iterator[Slab]:
    """Yield about so many events, about so many at a time."""
    random = np.random.default_rng(SEED)
    count = max(1, round(events / slab_events))
    engagements = round(events / count / EVENTS_PER_ENGAGEMENT)
    begins = [instant_of(FIRST_DAY) + _SPAN * number // count for number in range(count + 1)]
    pending = Slab(*(np.empty(0, np.int64) for _ in Slab._fields))
    for number in range(count):
        begin, end = begins[number : number + 2]
        pending = _in_time(pending, _begun(random, number, engagements, begin, end))
        now = int(np.searchsorted(pending.occurred_at, end))
        yield Slab(*(column[:now] for column in pending))
        pending = Slab(*(column[now:] for column in pending))


def _in_time(*parts: Slab) -> Slab:
    both = Slab(*map(np.concatenate, zip(*parts, strict=True)))
    order = np.argsort(both.occurred_at, kind="stable")
    return Slab(*(column[order] for column in both))


def _begun(
    random: np.random.Generator, number: int, engagements: int, begin: int, end: int
) -> Slab:
    """Return the events of the engagements that begin in one slab of time."""
    user, issue = _pairs(random, engagements)
    counts = random.integers(2, 5, engagements)
    firsts = np.cumsum(counts) - counts
    passed = random.exponential(_GAP_DAYS * DAY, counts.sum()).astype(np.int64)
    passed[firsts] = 0
    passed = np.cumsum(passed)
    began = random.integers(begin, end, engagements) - passed[firsts]
    kind = random.choice(np.arange(1, 4), len(passed), p=_SHARES)
    is_override = random.integers(0, _OVERRIDE_EVERY, len(passed)) == 0
    is_override[firsts] = False  # only an engagement that has an interaction is overridden
    return Slab(
        np.repeat(user, counts),
        np.repeat(issue + number * _issues(engagements), counts),
        (np.repeat(began, counts) + passed) // _SECOND * _SECOND,
        np.where(is_override, 0, kind),
    )


def _pairs(random: np.random.Generator, engagements: int) -> tuple[Integers, Integers]:
    """Return users and issues; of a pair that was drawn before, the issue is drawn again."""
    shares = 1 / np.arange(1, USERS + 1)
    shares[0] = shares[1:].sum() * HEAVIEST / (1 - HEAVIEST)
    user = random.choice(USERS, engagements, p=shares / shares.sum())
    issues = _issues(engagements)
    limits = np.cumsum(np.arange(1, issues + 1) ** -_ZIPF)
    names = random.permutation(issues)
    issue, drawn = np.empty(engagements, np.int64), np.arange(engagements)
    while len(drawn):
        at = np.searchsorted(limits, random.random(len(drawn)) * limits[-1])
        issue[drawn] = names[np.minimum(at, issues - 1)]
        _, first = np.unique(user * issues + issue, return_index=True)
        drawn = np.setdiff1d(np.arange(engagements), first, assume_unique=True)
    return user, issue


def _issues(engagements: int) -> int:
    return max(USERS, round(engagements * _ISSUES_PER_ENGAGEMENT))
