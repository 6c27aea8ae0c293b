"""Engagements: the fold of all interactions of one user with one issue (R3).

`merge` is associative and commutative with `NONE` as its identity, so any split of a history, in
any order of arrival, folds to the same engagement.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from operator import add, mul
from typing import Any, Literal, NamedTuple

import msgspec

from ledger.as_of import AsOf
from ledger.commands import OVERRIDE, Kind
from ledger.events import INTERACTION, EventRow


class Engagement(msgspec.Struct, frozen=True, gc=False):
    """The fold of the interactions of one user with one issue; instants are microseconds UTC.

    `counts` are the numbers of interactions and `lasts` the instants of the last ones, by kind. The
    fields that follow are pairs of an instant and a value, the latest given; at equal instants the
    greater value counts. Both fields of a pair are None together.
    """

    counts: tuple[int, ...] = (0,) * len(Kind)
    first_at: int | None = None
    lasts: tuple[int | None, ...] = (None,) * len(Kind)
    linear_at: int | None = None
    linear_id: str | None = None
    override_at: int | None = None
    override: float | None = None

    @property
    def count(self) -> int:
        """The number of interactions of all kinds."""
        return sum(self.counts)

    @property
    def last_at(self) -> int | None:
        """The instant of the last interaction of any kind, or None."""
        return max([at for at in self.lasts if at is not None], default=None)

    @property
    def last_kind(self) -> Kind | None:
        """The kind of the last interaction; of several at one instant the highest (R3)."""
        last_at = self.last_at
        if last_at is None:
            return None
        return _HIGHEST_FIRST[self.lasts[::-1].index(last_at)]

    @property
    def idle_since(self) -> int:
        """The last interaction's or the override's instant, whichever is later; -1 without any."""
        last_at = self.last_at
        idle_since = -1 if last_at is None else last_at
        return idle_since if self.override_at is None else max(idle_since, self.override_at)

    @property
    def is_overridden(self) -> bool:
        """Whether the override is in force, not ended by a later interaction (R6)."""
        return self.override_at is not None and self.override_at == self.idle_since


_KINDS = tuple(Kind)
_HIGHEST_FIRST = _KINDS[::-1]

NONE = Engagement()
"""No engagement: the identity of `merge`."""


class Extreme(NamedTuple):
    """A field of an engagement: the least or greatest value of a column of its interactions."""

    name: str
    rule: Literal["min", "max"]
    column: Literal["occurred_at", "recorded_at"]


EXTREMES = (Extreme("first_at", "min", "occurred_at"),)
"""How plain instants fold: the fields after `counts`, in this order.

`fold` and `merge` below name each; all columns, and every other fold, are generated from this.
"""


class DecisionFields(NamedTuple):
    """The fields of an engagement that keep the latest decision of a topic."""

    topic: str
    at: str
    value: str


DECISION_FIELDS = (DecisionFields(OVERRIDE, "override_at", "override"),)
"""How decisions fold: of those of each topic the latest of (instant, value) is kept.

All columns of decisions are generated from this, in this order, which is that of the fields.
"""

COUNTS = tuple(kind.count_name for kind in Kind)
EXTREME_NAMES = tuple(each.name for each in EXTREMES)
LASTS = tuple(kind.last_name for kind in Kind)
VALUE_NAMES = (
    *COUNTS,
    *EXTREME_NAMES,
    *LASTS,
    "linear_at",
    "linear_id",
    *(name for _, *names in DECISION_FIELDS for name in names),
)
"""The names of an engagement's values, wherever each has a column of its own."""

_LASTS = Engagement.__struct_fields__.index("lasts")
_FIRST_PAIR = _LASTS + 1
_COUNTS_END, _LASTS_BEGIN = len(COUNTS), len(COUNTS) + len(EXTREMES)
_LASTS_END = _LASTS_BEGIN + len(LASTS)


def values_of(engagement: Engagement) -> tuple[Any, ...]:
    """The values of an engagement in the order of VALUE_NAMES."""
    values = msgspec.structs.astuple(engagement)
    return (*values[0], *values[1:_LASTS], *values[_LASTS], *values[_FIRST_PAIR:])


def engagement_of(values: Sequence[Any]) -> Engagement:
    """The engagement of values in the order of VALUE_NAMES."""
    counts, lasts = tuple(values[:_COUNTS_END]), tuple(values[_LASTS_BEGIN:_LASTS_END])
    fields = (counts, *values[_COUNTS_END:_LASTS_BEGIN], lasts, *values[_LASTS_END:])
    return Engagement(*fields)


def fold(rows: Iterable[EventRow]) -> Engagement:
    """Fold the events of one user with one issue, in any order."""
    counts: list[int] = [0] * (1 + len(Kind))
    lasts: list[int | None] = [None] * (1 + len(Kind))
    first_at: int | None = None
    linear: _Pair = _NO_PAIR
    decisions = {each.topic: _NO_PAIR for each in DECISION_FIELDS}
    kind: Any  # which each interaction has
    for _, _, topic, _, kind, at, linear_id, value, _ in rows:
        if topic != INTERACTION:
            decisions[topic] = _latest(decisions[topic], (at, value))
            continue
        counts[kind] += 1
        last = lasts[kind]
        if last is None or at > last:
            lasts[kind] = at
        if first_at is None or at < first_at:
            first_at = at
        if linear_id is not None:
            linear = _latest(linear, (at, linear_id))
    pairs = [*linear, *chain.from_iterable(decisions.values())]
    return Engagement(tuple(counts[1:]), first_at, tuple(lasts[1:]), *pairs)


def touches(kind: Kind, count: int, at: int) -> Engagement:
    """The engagement of `count` interactions of one kind, all of them at one instant."""
    if not count:
        return NONE
    counts = tuple(count if each is kind else 0 for each in Kind)
    lasts = tuple(at if each is kind else None for each in Kind)
    return Engagement(counts, first_at=at, lasts=lasts)


def merge(a: Engagement, b: Engagement) -> Engagement:
    """Merge the engagements of two histories that have no event in common."""
    return Engagement(
        tuple(map(add, a.counts, b.counts)),
        _earlier(a.first_at, b.first_at),
        tuple(map(_later, a.lasts, b.lasts)),
        *chain.from_iterable(map(_latest, _pairs(a), _pairs(b))),
    )


def of_kinds(engagement: Engagement, kinds: Collection[Kind]) -> Engagement:
    """`engagement` without the interactions of kinds other than `kinds`.

    Counts, last interactions and the override are exact; `first_at` and the linear id stay those of
    all kinds, because they are not stored by kind.
    """
    if len(kinds) == len(Kind):
        return engagement
    are_counted = [kind in kinds for kind in _KINDS]
    by_kind = zip(engagement.lasts, are_counted, strict=True)
    return msgspec.structs.replace(
        engagement,
        counts=tuple(map(mul, engagement.counts, are_counted)),
        lasts=tuple([last if is_counted else None for last, is_counted in by_kind]),
    )


_Pair = tuple[int | None, Any]
_NO_PAIR: _Pair = (None, None)


def _pairs(engagement: Engagement) -> Iterator[_Pair]:
    """The pairs of an instant and a value."""
    values = msgspec.structs.astuple(engagement)[_FIRST_PAIR:]
    return zip(values[::2], values[1::2], strict=True)


def _latest(a: _Pair, b: _Pair) -> _Pair:
    if a[0] is None:
        return b
    return a if b[0] is None else max(a, b)


def _earlier(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)


def _later(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)


# Folds of the events that a question includes.


def engagements_as_of(rows: Iterable[EventRow], as_of: AsOf) -> list[tuple[str, Engagement]]:
    """The engagements of one user with their issues, in no particular order."""
    folds = folds_as_of(rows, as_of).items()
    return [(issue_id, engagement) for issue_id, engagement in folds if engagement.count]


def folds_as_of(rows: Iterable[EventRow], as_of: AsOf) -> dict[str, Engagement]:
    """The folds by issue of some events of one user, which need not be all or the first ones."""
    groups: dict[str, list[EventRow]] = defaultdict(list)
    for row in as_of.of(rows):
        groups[row.issue_id].append(row)
    return {issue_id: fold(group) for issue_id, group in groups.items()}
