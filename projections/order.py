"""Order: why one issue stands before another, and what would swap them (R5).

Everything here asks `ranked` and `rank_key` what would be, so it never disagrees with a ranking.
"""

from bisect import bisect_left
from collections.abc import Iterator
from enum import Enum
from heapq import merge as merge_sorted
from itertools import count, takewhile

import msgspec

from ledger.instants import DAY, Instant
from ledger.interaction import FOREVER
from projections.engagement import Engagement, merge, of_kinds
from projections.policy import Adopted, ScoringPolicy
from projections.ranking import Ranked, pin_ends_at, rank_key, ranked

LOOKED_AHEAD_DAYS = 400
"""For so long it is looked whether time alone swaps two issues."""


class Difference(Enum):
    """What decides between two issues: in this order, the first in which they differ."""

    PINNED = "pinned"
    SCORE = "score"
    IDLE_SINCE = "idle_since"
    ISSUE = "issue_id"


class Swap(msgspec.Struct, frozen=True):
    """The two issues as they would stand at the instant `at`, the other way round.

    `interactions` is how many more of the second one's that takes; 0 where time alone does it.
    """

    at: Instant
    first: Ranked
    second: Ranked
    interactions: int = 0

    @property
    def by(self) -> Difference:
        """What decides between them then."""
        return difference(self.first, self.second)


class OrderExplanation(msgspec.Struct, frozen=True):
    """Why `first` stands before `second` at the instant `at`, and what would swap them.

    `by_interactions` is the fewest more interactions with the second at that instant that put it
    first, None where no number of them does. `by_time` is the earliest instant at which it stands
    first although nothing happens, None where that does not come within LOOKED_AHEAD_DAYS.
    """

    at: Instant
    adopted: Adopted
    first: Ranked
    second: Ranked
    by_interactions: Swap | None
    by_time: Swap | None

    @property
    def by(self) -> Difference:
        """What decides between them."""
        return difference(self.first, self.second)


def explain_order(first: Ranked, second: Ranked, at: Instant, adopted: Adopted) -> OrderExplanation:
    """Return why `first` stands before `second`; both are as `adopted` ranks them at `at`."""
    policy = adopted.policy
    by_interactions = _swap_by_interactions(first, second, at, policy)
    by_time = _swap_by_time(first, second, at, policy)
    return OrderExplanation(at, adopted, first, second, by_interactions, by_time)


def difference(first: Ranked, second: Ranked) -> Difference:
    """Return what decides between two issues."""
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
    # Which of the kinds that count makes no odds.
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
    """Yield, ascending and without end, the instants after `at` when the issue may rank otherwise.

    That is when another idle day is full, and when a pin ends.
    """
    days = count(max(1, (at - ranked.idle_since) // DAY + 1))
    full = (Instant(ranked.idle_since + day * DAY) for day in days)
    return merge_sorted(full, [pin_ends_at(ranked.pinned_at, policy)] if ranked.pinned_at else [])
