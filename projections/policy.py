"""Scoring policies: the numbers of the formula, how they are kept, and how people write them.

The ledger keeps each policy that was ever adopted (R14) as a plain object of its fields, whole, so
that a later change of the defaults does not change the past.
"""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from ledger.errors import InvalidPolicyError
from ledger.instants import Instant
from ledger.interaction import KINDS, Kind

DECIMALS = 12
"""Scores and sums of weights are rounded to this before they are compared."""

MOST_FREQUENCY_BANDS = 20
"""Policies whose frequency takes more steps than this rank by looking at every engagement."""

ALL_KINDS = (Kind.MENTION, Kind.VIEW, Kind.QUERY)

_MANY_BANDS = 1e9  # for steps too small to be told apart, or to be divided by
_MOST_DAYS = 36_500
_MOST_HOURS = 24 * _MOST_DAYS


class ScoringPolicy(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """The numbers of the formula; the defaults are the product's.

    `kinds` are those whose interactions count, ascending; the others score and rank as if they had
    not been. An issue that was touched less than `pin_hours` ago ranks before all others; 0 pins
    nothing. Raises InvalidPolicyError, a ValueError, unless both weights are in 0..1 and sum to 1,
    the rate of decay and the default score are in 0..1, nothing is negative and some kind counts.
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
    kinds: tuple[Kind, ...] = ALL_KINDS
    pin_hours: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that would make scores leave 0..1 or rise as time goes by."""
        for name in NUMBERS:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InvalidPolicyError(name, "must not be negative")
        if round(self.frequency_weight + self.recency_weight, DECIMALS) != 1:
            raise InvalidPolicyError("frequency_weight", "and recency_weight must sum to 1")
        for name in ("decay_rate_per_day", "default_score"):
            if getattr(self, name) > 1:
                raise InvalidPolicyError(name, "must be at most 1")
        for name, most in _MOST.items():
            if getattr(self, name) > most:
                raise InvalidPolicyError(name, f"must be at most {most}")
        if not self.kinds or list(self.kinds) != sorted(set(self.kinds)):
            raise InvalidPolicyError("kinds", "must be some of mention, view, query, each once")

    @property
    def frequency_bands(self) -> int:
        """How many interactions it takes until more of them no longer count."""
        return _bands(self.frequency_per_interaction)


_MOST = {
    "decay_after_days": _MOST_DAYS,
    "dormant_after_days": _MOST_DAYS,
    "pin_hours": _MOST_HOURS,
}
NUMBERS = tuple(name for name in ScoringPolicy.__struct_fields__ if name != "kinds")
"""The fields that are numbers."""


@lru_cache
def _bands(step: float) -> int:
    return math.ceil(min(1 / step, _MANY_BANDS)) if step else 1


DEFAULT_POLICY = ScoringPolicy()
DEFAULT_POLICY_VERSION = 1


class Adopted(NamedTuple):
    """A policy and since when it is in force; the first one has neither position nor instant."""

    version: int
    policy: ScoringPolicy
    position: int | None = None
    adopted_at: Instant | None = None


def fields_of(policy: ScoringPolicy) -> dict[str, Any]:
    """Return the fields as the ledger keeps them: numbers, and the labels of the kinds."""
    return {**msgspec.structs.asdict(policy), "kinds": [kind.label for kind in policy.kinds]}


def policy_of(fields: Mapping[str, Any]) -> ScoringPolicy:
    """Return the policy that `fields_of` made `fields` of; a missing field is the default's.

    Raises InvalidPolicyError for a field that is unknown, of a wrong type or out of its range.
    """
    known = dict(fields)
    for name in known:
        if name not in ScoringPolicy.__struct_fields__:
            raise InvalidPolicyError(
                name, f"is none of {', '.join(ScoringPolicy.__struct_fields__)}"
            )
    if "kinds" in known:
        known["kinds"] = _kinds(known["kinds"])
    try:
        return msgspec.convert(known, ScoringPolicy)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, InvalidPolicyError):
            raise error.__cause__ from None
        raise InvalidPolicyError("policy", f"cannot be read: {error}") from None


def _kinds(labels: Iterable[str]) -> list[Kind]:
    try:
        return sorted(KINDS[label] for label in labels)
    except (KeyError, TypeError):
        raise InvalidPolicyError("kinds", "must be some of query, view, mention") from None


def changed(policy: ScoringPolicy, assignments: Iterable[str]) -> ScoringPolicy:
    """Return `policy` with what `assignments` such as "pin_hours=8" or "kinds=query,view" say.

    Of the two weights one is enough: the other one is the rest to 1. Raises InvalidPolicyError for
    what is no assignment, names no field or the same one twice, or makes no policy.
    """
    given: dict[str, Any] = {}
    for assignment in assignments:
        name, sign, text = assignment.partition("=")
        if not sign or name in given:
            raise InvalidPolicyError(name[:40], "must be given once, as in pin_hours=8")
        given[name] = _value(name, text)
    for one, other in (_WEIGHTS, _WEIGHTS[::-1]):
        if one in given and other not in given:
            given[other] = round(1 - given[one], DECIMALS)
    return policy_of({**fields_of(policy), **given})


class FieldChange(NamedTuple):
    """A field whose value another policy changes; values as the ledger keeps them."""

    name: str
    before: Any
    after: Any


def differences(before: ScoringPolicy, after: ScoringPolicy) -> list[FieldChange]:
    """Return the fields in which two policies differ, in their order."""
    old, new = fields_of(before), fields_of(after)
    return [FieldChange(name, old[name], new[name]) for name in old if old[name] != new[name]]


_WEIGHTS = ("frequency_weight", "recency_weight")


def _value(name: str, text: str) -> object:
    if name == "kinds":
        return [label.strip() for label in text.split(",")]
    try:
        number = float(text)
    except ValueError:
        raise InvalidPolicyError(name[:40], f"is {text[:40]!r}, which is not a number") from None
    if not name.endswith("_days"):
        return number + 0.0  # which makes nothing of the sign of 0
    if not number.is_integer():
        raise InvalidPolicyError(name, "must be a whole number of days")
    return int(number)
