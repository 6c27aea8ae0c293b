"""Rankings: which engagements come first, the top few of them, and those a user hides (R5)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import merge as merge_sorted
from math import ceil
from typing import NamedTuple

from ledger.as_of import AsOf
from ledger.events import EngagementHidden
from ledger.instants import DAY, Instant
from projections.engagement import Engagement, of_kinds
from projections.issue_names import NO_NAMES, Names
from projections.policy import DEFAULT_POLICY, ScoringPolicy
from projections.scoring import Score, score

# The order of engagements, and its first few without reading all of them.

OVERRIDDEN_BAND = 0
UNCOUNTED_BAND = -1

_HOUR = DAY // 24


class Ranked(NamedTuple):
    """An issue with its engagement and its score at the moment of the ranking; made by `ranked`.

    `idle_since` considers the kinds that count. `pinned_at` is the last interaction that counts if
    the policy pins it at that moment, else 0.
    """

    issue_id: str
    engagement: Engagement
    score: Score
    idle_since: int
    pinned_at: int = 0


def ranked(
    issue_id: str, engagement: Engagement, at: Instant, policy: ScoringPolicy = DEFAULT_POLICY
) -> Ranked:
    """Compute the rank fields of `engagement` at `at`."""
    counted = of_kinds(engagement, policy.kinds)
    pinned_at = _pinned_at(counted, at, policy) if policy.pin_hours else 0
    value = score(engagement, at, policy)
    return Ranked(issue_id, engagement, value, counted.idle_since, pinned_at)


def _pinned_at(counted: Engagement, at: Instant, policy: ScoringPolicy) -> int:
    last_at = counted.last_at
    if last_at is None or counted.is_overridden or at >= pin_ends_at(last_at, policy):
        return 0
    return last_at


def pin_ends_at(last_at: int, policy: ScoringPolicy) -> Instant:
    """The first instant at which an interaction at `last_at` no longer pins its issue."""
    return Instant(last_at + ceil(policy.pin_hours * _HOUR))


def rank_key(ranked: Ranked) -> tuple[int, float, int, str]:
    """The sort key of the ranking.

    First pinned issues, the latest first; then by score descending, idle since descending, and
    issue.
    """
    return (-ranked.pinned_at, -ranked.score.value, -ranked.idle_since, ranked.issue_id)


def ranking(
    engagements: Iterable[tuple[str, Engagement]],
    at: Instant,
    policy: ScoringPolicy = DEFAULT_POLICY,
) -> list[Ranked]:
    """All of `engagements` in their order at `at`."""
    return sorted(_scored(engagements, at, policy), key=rank_key)


def band(engagement: Engagement, policy: ScoringPolicy) -> int:
    """The band of an engagement; within a band, later means higher at every moment.

    Band 0 has overridden engagements, which are not ordered by time. The others are numbered by the
    interactions that count, up to `policy.frequency_bands`, from which on more make no difference.
    Band -1 has engagements of which nothing counts; it ranks by issue after all others.
    """
    counted = of_kinds(engagement, policy.kinds)
    if counted.is_overridden:
        return OVERRIDDEN_BAND
    return min(counted.count, policy.frequency_bands) or UNCOUNTED_BAND


Bands = Mapping[int, Sequence[tuple[str, Engagement]]]
"""Engagements by their bands, sorted as `merge_bands` reads them."""


def in_bands(engagements: Iterable[tuple[str, Engagement]], policy: ScoringPolicy) -> Bands:
    """Sort engagements into their bands."""
    bands: dict[int, list[tuple[str, Engagement]]] = {}
    for issue, engagement in engagements:
        bands.setdefault(band(engagement, policy), []).append((issue, engagement))

    def latest_first(pair: tuple[str, Engagement]) -> tuple[int, str]:
        issue, engagement = pair
        return -(of_kinds(engagement, policy.kinds).last_at or 0), issue

    for pairs in bands.values():
        pairs.sort(key=latest_first)
    return bands


def merge_bands(
    bands: Iterable[Iterable[tuple[str, Engagement]]],
    overridden: Iterable[tuple[str, Engagement]],
    at: Instant,
    policy: ScoringPolicy = DEFAULT_POLICY,
) -> Iterator[Ranked]:
    """Yield the ranking lazily, reading each band only as far as needed.

    Each band must be sorted by the last interaction that counts, descending, then by issue.
    `overridden` may be in any order.
    """
    scored = (_scored(each, at, policy) for each in bands)
    return merge_sorted(*scored, ranking(overridden, at, policy), key=rank_key)


def _scored(
    engagements: Iterable[tuple[str, Engagement]], at: Instant, policy: ScoringPolicy
) -> Iterator[Ranked]:
    return (ranked(issue, each, at, policy) for issue, each in engagements)


# Hidden issues: those that a user wants left out of their lists.
#
# They are left out of top lists and briefings. Scores, totals, histories and the order of the
# others do not change.


def hidden_issues(
    hidings: Iterable[EngagementHidden], as_of: AsOf, names: Names = NO_NAMES
) -> frozenset[str]:
    """The issues that a user's `hidings` hide, considering those that `as_of` includes.

    For each issue the latest decides; at equal instants, the one that hides.
    """
    latest: dict[str, tuple[int, bool]] = {}
    for each in hidings:
        if as_of.sees(each.occurred_at, each.recorded_at):
            said = (each.occurred_at, each.hidden)
            issue = names.name(each.issue_id, each.occurred_at)
            latest[issue] = max(said, latest.get(issue, said))
    return frozenset(issue for issue, (_, hidden) in latest.items() if hidden)


def listed(ranked: Sequence[Ranked], hidden: Collection[str], limit: int) -> list[Ranked]:
    """The first `limit` engagements of a ranking that are not hidden."""
    return [each for each in ranked if each.issue_id not in hidden][:limit]
