"""Scoring policies: the numbers of the formula, their stored form, and assignments to them.

The ledger stores each adopted policy (R14) as an object of all its fields, so that a later change
of the defaults does not change the past.
"""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from ledger.commands import KINDS, Kind
from ledger.errors import InvalidPolicyError
from ledger.instants import Instant

DECIMALS = 12
"""Scores and sums of weights are rounded to this before they are compared."""

MOST_FREQUENCY_BANDS = 20
"""Policies whose frequency takes more steps than this rank by looking at every engagement."""

ALL_KINDS = tuple(Kind)
_LABELS = ", ".join(KINDS)

_MANY_BANDS = 1e9  # for steps too small to distinguish, or to divide by
_MOST_DAYS = 36_500
_MOST_HOURS = 24 * _MOST_DAYS


class ScoringPolicy(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """The numbers of the formula; the defaults are policy 1.

    `kinds` are those whose interactions count, ascending; the others score and rank as if they had
    not happened. An issue that was touched less than `pin_hours` ago ranks before all others; 0
    pins nothing. Raises InvalidPolicyError, a ValueError, unless both weights are in 0..1 and sum
    to 1, the rate of decay and the default score are in 0..1, nothing is negative and some kind
    counts.
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
        """Refuse numbers that would make scores leave 0..1 or rise with time."""
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
            raise InvalidPolicyError("kinds", f"must be some of {_LABELS}, each once")

    @property
    def frequency_bands(self) -> int:
        """The number of interactions from which on further ones do not raise the frequency."""
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
    """A policy, and the position and instant from which it is in force; None for the first one."""

    version: int
    policy: ScoringPolicy
    position: int | None = None
    adopted_at: Instant | None = None


def fields_of(policy: ScoringPolicy) -> dict[str, Any]:
    """The fields as stored: numbers, and the labels of the kinds."""
    return {**msgspec.structs.asdict(policy), "kinds": [kind.label for kind in policy.kinds]}


def policy_of(fields: Mapping[str, Any]) -> ScoringPolicy:
    """The policy with the stored `fields`; missing ones have the default value.

    Raises InvalidPolicyError for a field that is unknown, of a wrong type or out of its range.
    """
    known = dict(fields)
    for name in known:
        if name not in ScoringPolicy.__struct_fields__:
            raise InvalidPolicyError(
                name, f"is not one of {', '.join(ScoringPolicy.__struct_fields__)}"
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
        raise InvalidPolicyError("kinds", f"must be some of {_LABELS}") from None


def changed(policy: ScoringPolicy, assignments: Iterable[str]) -> ScoringPolicy:
    """Apply `assignments` such as "pin_hours=8" or "kinds=query,view" to `policy`.

    Of the two weights one is enough: the other one is the rest to 1. Raises InvalidPolicyError for
    an invalid assignment, an unknown or repeated field, or an invalid policy.
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
    """A field in which two policies differ, with both values as stored."""

    name: str
    before: Any
    after: Any


def differences(before: ScoringPolicy, after: ScoringPolicy) -> list[FieldChange]:
    """The fields in which two policies differ, in their order."""
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
        return number + 0.0  # turns -0.0 into 0.0
    if not number.is_integer():
        raise InvalidPolicyError(name, "must be a whole number of days")
    return int(number)
