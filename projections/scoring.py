"""Scores: an engagement's value at a moment (R4 to R7), a pure function of both and a policy."""

import math
from functools import lru_cache

import msgspec

from ledger.instants import DAY, Instant
from projections.engagement import Engagement

DECIMALS = 12
"""Scores are rounded to this before they are compared, ranked or shown."""

MOST_FREQUENCY_BANDS = 20
"""Policies whose frequency takes more steps than this rank by looking at every engagement."""

_MANY_BANDS = 1e9  # for steps too small to be told apart, or to be divided by


class ScoringPolicy(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """The numbers of the formula; the defaults are the product's.

    Raises ValueError unless both weights are in 0..1 and sum to 1, rates are in 0..1 and days are
    not negative.
    """

    frequency_weight: float = 0.4
    recency_weight: float = 0.6
    frequency_per_interaction: float = 0.2
    recency_rate_per_day: float = 0.05
    decay_rate_per_day: float = 0.1
    decay_after_days: int = 30
    default_score: float = 0.5
    dormant_after_days: int = 90
    dormant_below_score: float = 0.001

    def __post_init__(self) -> None:
        """Refuse numbers that would make scores leave 0..1 or rise as time goes by."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                message = f"{name} must not be negative"
                raise ValueError(message)
        if round(self.frequency_weight + self.recency_weight, DECIMALS) != 1:
            message = "frequency_weight and recency_weight must sum to 1"
            raise ValueError(message)
        if max(self.decay_rate_per_day, self.default_score) > 1:
            message = "decay_rate_per_day and default_score must be at most 1"
            raise ValueError(message)

    @property
    def frequency_bands(self) -> int:
        """How many interactions it takes until more of them no longer count."""
        return _bands(self.frequency_per_interaction)


@lru_cache
def _bands(step: float) -> int:
    return math.ceil(round(min(1 / step, _MANY_BANDS), DECIMALS)) if step else 1


DEFAULT_POLICY = ScoringPolicy()
DEFAULT_POLICY_VERSION = 1


class Score(msgspec.Struct, frozen=True):
    """A score and its parts: value = base * decay, base = the override or the weighted sum.

    `idle_days` are whole days since the last interaction or override. For a user who never touched
    the issue the value is the policy's default and every part is None.
    """

    value: float
    idle_days: int | None = None
    frequency: float | None = None
    recency: float | None = None
    decay: float | None = None
    override: float | None = None
    dormant: bool = False


def idle_days(engagement: Engagement, at: Instant) -> int:
    """Return the whole days from idle since to `at`, at least 0 (R8: an age is never negative)."""
    return max(0, (at - engagement.idle_since) // DAY)


def score(engagement: Engagement, at: Instant, policy: ScoringPolicy = DEFAULT_POLICY) -> Score:
    """Return the score of `engagement` at the instant `at`, by the formula of R4 and R6."""
    count = engagement.count
    if not count:
        return Score(policy.default_score)
    override = engagement.override if engagement.is_overridden else None
    return _score(policy, count, idle_days(engagement, at), override)


@lru_cache(maxsize=65_536)
def _score(policy: ScoringPolicy, count: int, days: int, override: float | None) -> Score:
    # Whole days and small counts leave few different scores, and rankings ask for many.
    frequency = min(1.0, policy.frequency_per_interaction * count)
    recency = math.exp(-policy.recency_rate_per_day * days)
    base = policy.frequency_weight * frequency + policy.recency_weight * recency
    decay = (1 - policy.decay_rate_per_day) ** max(0, days - policy.decay_after_days)
    value = round((base if override is None else override) * decay, DECIMALS)
    dormant = days > policy.dormant_after_days and value < policy.dormant_below_score
    return Score(value, days, frequency, recency, decay, override, dormant)
