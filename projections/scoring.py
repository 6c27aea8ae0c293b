"""Scores: an engagement's value at a moment (R4 to R7), a pure function of both and a policy."""

import math
from functools import lru_cache

import msgspec

from ledger.instants import DAY, Instant
from projections.engagement import Engagement, of_kinds
from projections.policy import DECIMALS, DEFAULT_POLICY, ScoringPolicy


class Score(msgspec.Struct, frozen=True):
    """A score and its parts: value = base * decay, base = the override or the weighted sum.

    `idle_days` are whole days since the last interaction that counts or override. For a user who
    never touched the issue the value is the policy's default and every part is None; for one whose
    touches are all of kinds that do not count, the value is 0 and dormant, and so every part None.
    """

    value: float
    idle_days: int | None = None
    frequency: float | None = None
    recency: float | None = None
    decay: float | None = None
    override: float | None = None
    dormant: bool = False


NEVER_COUNTED = Score(0.0, dormant=True)
"""The score of an engagement of which nothing counts: touched, but infinitely long ago."""


def idle_days(engagement: Engagement, at: Instant) -> int:
    """The whole days from idle since to `at`, at least 0 (R8: an age is never negative)."""
    return max(0, (at - engagement.idle_since) // DAY)


def weighted(policy: ScoringPolicy, frequency: float, recency: float) -> float:
    """The weighted sum of R4, which is the base if no override is in force."""
    return policy.frequency_weight * frequency + policy.recency_weight * recency


def days_over(policy: ScoringPolicy, days: int) -> int:
    """The number of idle days that are days of decay."""
    return max(0, days - policy.decay_after_days)


def score(engagement: Engagement, at: Instant, policy: ScoringPolicy = DEFAULT_POLICY) -> Score:
    """The score of `engagement` at the instant `at`, by the formula of R4 and R6."""
    if not engagement.count:
        return Score(policy.default_score)
    counted = of_kinds(engagement, policy.kinds)
    override = counted.override if counted.is_overridden else None
    if override is None and not counted.count:
        return NEVER_COUNTED
    return score_of(policy, counted.count, idle_days(counted, at), override)


@lru_cache(maxsize=65_536)
def score_of(policy: ScoringPolicy, count: int, days: int, override: float | None) -> Score:
    """The score of `count` interactions that count, `days` idle days after the last one.

    With an override, which is in force then, the count makes no difference to the value.
    """
    # Cached: whole days and small counts give few different scores, and rankings need many.
    frequency = min(1.0, policy.frequency_per_interaction * count)
    recency = math.exp(-policy.recency_rate_per_day * days)
    base = weighted(policy, frequency, recency) if override is None else override
    decay = (1 - policy.decay_rate_per_day) ** days_over(policy, days)
    value = round(base * decay, DECIMALS)
    dormant = days > policy.dormant_after_days and value < policy.dormant_below_score
    return Score(value, days, frequency, recency, decay, override, dormant)
