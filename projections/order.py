"""Order: why one issue ranks above another, and what would swap them (R5).

Everything here is computed with `ranked` and `rank_key`, so it never disagrees with a ranking.
"""

from bisect import bisect_left
from collections.abc import Iterator
from enum import Enum
from heapq import merge as merge_sorted
from itertools import count, takewhile

import msgspec

from ledger.commands import FOREVER
from ledger.instants import DAY, Instant
from projections.engagement import Engagement, merge, of_kinds
from projections.policy import Adopted, ScoringPolicy
from projections.ranking import Ranked, pin_ends_at, rank_key, ranked

LOOKED_AHEAD_DAYS = 400
"""Days for which it is checked whether time alone swaps two issues."""


class Difference(Enum):
    """Criteria of the ranking; the first in this order in which two issues differ decides."""

    PINNED = "pinned"
    SCORE = "score"
    IDLE_SINCE = "idle_since"
    ISSUE = "issue_id"


class Swap(msgspec.Struct, frozen=True):
    """The two issues in swapped order at the instant `at`.

    `interactions` is the number of further interactions with the second issue that this takes; 0 if
    time alone does it.
    """

    at: Instant
    first: Ranked
    second: Ranked
    interactions: int = 0

    @property
    def by(self) -> Difference:
        """The criterion that decides between them then."""
        return difference(self.first, self.second)


class OrderExplanation(msgspec.Struct, frozen=True):
    """Why `first` ranks above `second` at the instant `at`, and what would swap them.

    `by_interactions` has the fewest further interactions with the second at that instant that put
    it first, or is None if no number of them does. `by_time` has the earliest instant at which it
    is first without further events, or is None if there is none within LOOKED_AHEAD_DAYS.
    """

    at: Instant
    adopted: Adopted
    first: Ranked
    second: Ranked
    by_interactions: Swap | None
    by_time: Swap | None

    @property
    def by(self) -> Difference:
        """The criterion that decides between them now."""
        return difference(self.first, self.second)


def explain_order(first: Ranked, second: Ranked, at: Instant, adopted: Adopted) -> OrderExplanation:
    """Explain why `first` ranks above `second`; both are as `adopted` ranks them at `at`."""
    policy = adopted.policy
    by_interactions = _swap_by_interactions(first, second, at, policy)
    by_time = _swap_by_time(first, second, at, policy)
    return OrderExplanation(at, adopted, first, second, by_interactions, by_time)


def difference(first: Ranked, second: Ranked) -> Difference:
    """The criterion that decides between two issues."""
    pairs = zip(Difference, rank_key(first), rank_key(second), strict=True)
    return next(part for part, a, b in pairs if a != b)


# --- more interactions ---------------------------------------------------------------------------


def _swap_by_interactions(
    first: Ranked, second: Ranked, at: Instant, policy: ScoringPolicy
) -> Swap | None:
    def with_more(interactions: int) -> Ranked:
        more = merge(second.engagement, _touches(interactions, at, policy))
        return ranked(second.issue_id, more, at, policy)

    def is_enough(interactions: int) -> bool:
        return rank_key(with_more(interactions)) < rank_key(first)

    # One more may end an override and so lower a score; from there on, more never do. From the last
    # band on they change nothing.
    counts = range(1, policy.frequency_bands + 1)
    found = bisect_left(counts, True, key=is_enough)  # noqa: FBT003 - what is looked for
    if found == len(counts):
        return None
    return Swap(at, with_more(counts[found]), first, counts[found])


def _touches(interactions: int, at: Instant, policy: ScoringPolicy) -> Engagement:
    # All kinds that count give the same score.
    of_each_kind = Engagement(interactions, interactions, interactions, at, at, at, at)
    return of_kinds(of_each_kind, policy.kinds[-1:])


# --- time alone ----------------------------------------------------------------------------------


def _swap_by_time(first: Ranked, second: Ranked, at: Instant, policy: ScoringPolicy) -> Swap | None:
    end = min(at + LOOKED_AHEAD_DAYS * DAY, FOREVER)
    changes = merge_sorted(*(_changes(each, at, policy) for each in (first, second)))
    for instant in takewhile(lambda each: each <= end, changes):
        a, b = (ranked(each.issue_id, each.engagement, instant, policy) for each in (first, second))
        if rank_key(b) < rank_key(a):
            return Swap(instant, b, a)
    return None


def _changes(ranked: Ranked, at: Instant, policy: ScoringPolicy) -> Iterator[Instant]:
    """Yield the instants after `at` at which the issue's rank may change, ascending and endless.

    These are the ends of idle days, and the end of a pin.
    """
    days = count(max(1, (at - ranked.idle_since) // DAY + 1))
    full = (Instant(ranked.idle_since + day * DAY) for day in days)
    return merge_sorted(full, [pin_ends_at(ranked.pinned_at, policy)] if ranked.pinned_at else [])
