"""Explanations: every number of a score from the events up, and why one issue precedes another."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from heapq import merge as merge_sorted
from itertools import count, takewhile
from typing import NamedTuple, cast

import msgspec

from ledger.as_of import AsOf
from ledger.commands import FOREVER, OVERRIDE, Kind
from ledger.events import EventRow, is_late
from ledger.instants import DAY, Instant
from projections.engagement import NONE, Engagement, fold, merge, of_kinds, touches
from projections.policy import Adopted, ScoringPolicy
from projections.ranking import Ranked, pin_ends_at, rank_key, ranked
from projections.scoring import days_over, weighted

# The numbers of a score (R3 to R8, R14).


class Sourced(NamedTuple):
    """An event as folds read it, with its readable source, if not deleted."""

    row: EventRow
    source: str | None


class Seen(msgspec.Struct, frozen=True, gc=False):
    """An event that the answer saw."""

    position: int
    occurred_at: Instant
    recorded_at: Instant

    @property
    def is_late(self) -> bool:
        """Whether the event was recorded more than a day after it occurred."""
        return is_late(self.occurred_at, self.recorded_at)


class InteractionSeen(Seen, frozen=True, gc=False):
    """An interaction; `counts` tells whether the policy counts its kind."""

    kind: Kind
    source: str | None
    counts: bool


class OverrideSeen(Seen, frozen=True, gc=False):
    """An override.

    One that is not in force was ended by the event at position `ended_by`: the first interaction
    that counts, or the first override, after it. That is None if nothing has ended it, but
    the issue had not been touched yet.
    """

    value: float
    is_in_force: bool
    ended_by: int | None


class Explanation(msgspec.Struct, frozen=True):
    """A score at the instant `at`, and everything that it is computed from.

    `ranked` equals the answer to the question for the score. `interactions` and `overrides` are the
    events that `as_of` includes, the earliest first.
    """

    ranked: Ranked
    at: Instant
    as_of: AsOf
    adopted: Adopted
    interactions: tuple[InteractionSeen, ...]
    overrides: tuple[OverrideSeen, ...]

    @property
    def issue_id(self) -> str:
        """The explained issue."""
        return self.ranked.issue_id

    @property
    def policy(self) -> ScoringPolicy:
        """The policy that was in force."""
        return self.adopted.policy

    @property
    def value(self) -> float:
        """The score: `base` times `decay`, rounded to 12 decimals, if it has parts."""
        return self.ranked.score.value

    @property
    def has_parts(self) -> bool:
        """Whether anything counts: an interaction of a kind that does, or an override.

        If not, the value is the policy's default for an untouched issue, and 0 for one that was
        only touched in ways that do not count.
        """
        return self.ranked.score.idle_days is not None

    @property
    def events(self) -> list[InteractionSeen | OverrideSeen]:
        """All events that the answer includes, the earliest first."""
        return sorted((*self.interactions, *self.overrides), key=_when)

    @property
    def count(self) -> int:
        """The number of interactions that count."""
        return sum(each.counts for each in self.interactions)

    @property
    def days_over(self) -> int:
        """The days of decay: idle days beyond those without; 0 without parts."""
        return days_over(self.policy, self.ranked.score.idle_days or 0)

    @property
    def base(self) -> float | None:
        """The base of the score: the override in force, or else the weighted sum; None without
        parts.
        """
        parts = self.ranked.score
        return self.weighted if parts.override is None else parts.override

    @property
    def weighted(self) -> float | None:
        """The weighted sum of frequency and recency, even if an override replaces it."""
        parts = self.ranked.score
        if parts.frequency is None or parts.recency is None:
            return None
        return weighted(self.policy, parts.frequency, parts.recency)


def explain(
    events: Iterable[Sourced],
    issue_id: str,
    as_of: AsOf,
    at: Instant,
    adopted: Adopted,
) -> Explanation:
    """Explain the score of `issue_id` at the instant `at`.

    `events` are of one user, in any order; those of other issues, and those that `as_of` does not
    include, are left out. `adopted` is the policy to explain by.
    """
    policy = adopted.policy
    seen = sorted((each for each in events if _is_seen(each.row, issue_id, as_of)), key=_order)
    engagement = fold(each.row for each in seen)
    if not engagement.count:  # an override alone does not make an engagement
        engagement = NONE
    rows = [each.row for each in seen]
    return Explanation(
        ranked=ranked(issue_id, engagement, at, policy),
        at=at,
        as_of=as_of,
        adopted=adopted,
        interactions=tuple(_interaction(each, policy) for each in seen if each.row.is_interaction),
        overrides=tuple(
            _override(row, rows, engagement, policy) for row in rows if row.topic == OVERRIDE
        ),
    )


def _is_seen(row: EventRow, issue_id: str, as_of: AsOf) -> bool:
    return row.issue_id == issue_id and as_of.sees(row.occurred_at, row.recorded_at)


def _order(event: Sourced) -> tuple[int, int]:
    return event.row.occurred_at, event.row.position


def _when(seen: Seen) -> tuple[int, int]:
    return seen.occurred_at, seen.position


def _interaction(event: Sourced, policy: ScoringPolicy) -> InteractionSeen:
    row, source = event
    kind = Kind(cast("int", row.kind))
    return InteractionSeen(
        row.position,
        Instant(row.occurred_at),
        Instant(row.recorded_at),
        kind,
        source,
        kind in policy.kinds,
    )


def _override(
    row: EventRow, rows: Sequence[EventRow], engagement: Engagement, policy: ScoringPolicy
) -> OverrideSeen:
    ended_by = next((each.position for each in rows if _ends(each, row, policy)), None)
    counted = of_kinds(engagement, policy.kinds)
    return OverrideSeen(
        row.position,
        Instant(row.occurred_at),
        Instant(row.recorded_at),
        cast("float", row.score),
        counted.is_overridden and ended_by is None,
        ended_by,
    )


def _ends(row: EventRow, override: EventRow, policy: ScoringPolicy) -> bool:
    if row.is_interaction:
        return row.kind in policy.kinds and row.occurred_at > override.occurred_at
    return row.topic == OVERRIDE and _latest_override(row) > _latest_override(override)


def _latest_override(row: EventRow) -> tuple[int, float, int]:
    # As in the fold; of equal ones, which the fold does not distinguish, the later one.
    return row.occurred_at, cast("float", row.score), row.position


# Order: why one issue ranks above another, and what would swap them (R5).
#
# Everything here is computed with `ranked` and `rank_key`, so it never disagrees with a ranking.

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
        # All kinds that count give the same score.
        more = merge(second.engagement, touches(policy.kinds[-1], interactions, at))
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
