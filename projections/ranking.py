"""Rankings: which engagements come first, and the top few of them without looking at all (R5)."""

from collections.abc import Iterable, Iterator
from heapq import merge as merge_sorted
from itertools import islice, takewhile
from typing import NamedTuple

from ledger.instants import Instant
from projections.engagement import Engagement
from projections.scoring import DEFAULT_POLICY, Score, ScoringPolicy, score

OVERRIDDEN_BAND = 0


class Ranked(NamedTuple):
    """An issue with its engagement and its score at the moment of the ranking."""

    issue_id: str
    engagement: Engagement
    score: Score


def rank_key(ranked: Ranked) -> tuple[float, int, str]:
    """Return what to sort by: score descending, then idle since descending, then the issue."""
    return (-ranked.score.value, -ranked.engagement.idle_since, ranked.issue_id)


def ranking(
    engagements: Iterable[tuple[str, Engagement]],
    at: Instant,
    policy: ScoringPolicy = DEFAULT_POLICY,
) -> list[Ranked]:
    """Return all of `engagements` in their order at `at`, dormant ones too."""
    return sorted(_scored(engagements, at, policy), key=rank_key)


def top(ranked: Iterable[Ranked], limit: int) -> list[Ranked]:
    """Return the first `limit` of what is ranked already, without the dormant (R5)."""
    return list(islice((each for each in ranked if not each.score.dormant), limit))


def band(engagement: Engagement, bands: int) -> int:
    """Return the band of an engagement: within one, later means higher, at every moment.

    Band 0 holds what is overridden, which no order by time ranks; the others are named by their
    count, up to `bands` (ScoringPolicy.frequency_bands), from which on more no longer counts.
    """
    if engagement.is_overridden:
        return OVERRIDDEN_BAND
    return min(engagement.count, bands)


def merge_bands(
    bands: Iterable[Iterable[tuple[str, Engagement]]],
    overridden: Iterable[tuple[str, Engagement]],
    at: Instant,
    policy: ScoringPolicy = DEFAULT_POLICY,
) -> Iterator[Ranked]:
    """Yield the ranking without the dormant, reading no further into a band than is asked for.

    Each band must come by `last_at` descending, then by issue. `overridden` may be in any order.
    """
    awake = (
        takewhile(lambda ranked: not ranked.score.dormant, _scored(each, at, policy))
        for each in bands
    )
    return merge_sorted(*awake, _awake(ranking(overridden, at, policy)), key=rank_key)


def _scored(
    engagements: Iterable[tuple[str, Engagement]], at: Instant, policy: ScoringPolicy
) -> Iterator[Ranked]:
    return (Ranked(issue, each, score(each, at, policy)) for issue, each in engagements)


def _awake(ranked: Iterable[Ranked]) -> Iterator[Ranked]:
    return (each for each in ranked if not each.score.dormant)
