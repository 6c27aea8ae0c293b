"""The fold and the score by columns: the same numbers as one by one, for many at once."""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ledger.commands import OVERRIDE, Kind
from ledger.events import DECISIONS
from ledger.instants import DAY, Instant
from projections.engagement import COUNTS, DECISION_FIELDS, EXTREME_NAMES, EXTREMES, LASTS
from projections.policy import ScoringPolicy
from projections.ranking import OVERRIDDEN_BAND, UNCOUNTED_BAND, pin_ends_at
from projections.scoring import NEVER_COUNTED, score_of

# The fold by columns: the same engagements as `projections.engagement.fold`, many at once.
#
# Rows of one engagement stand side by side; `starts` are the numbers of the first ones. Everything
# is found by running over whole columns, so no row is looked at in Python. Instants are
# microseconds UTC; -1 stands for none, here as in every column of integers.

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

NO = -1
"""Stands for nothing in a column of integers."""

_KIND_BITS = max(Kind).bit_length()
_EACH = np.array(Kind).reshape(-1, 1)


class EventColumns(NamedTuple):
    """Events: what `ledger.events.EventRow` says of each, but for whose and which issue's it is.

    `code` is the kind of an interaction, or stands for a decision, see `ledger.events.DECISIONS`;
    only a decision has a `score`, its value. `linear` is the rank of the Linear id among those of
    all rows.
    """

    position: Integers
    code: Integers
    occurred_at: Integers
    recorded_at: Integers
    linear: Integers
    score: Floats


class Decisions(NamedTuple):
    """The latest decisions of a topic; where there is none, the instant is -1 and the value 0."""

    at: Integers
    value: Floats


class FoldColumns(NamedTuple):
    """Engagements: the fields of `Engagement`, and what its row of the read model has beside them.

    `events` counts what was folded, decisions too. `id` is the position of the first event and
    `last_position` that of the last interaction; `scored_at` is when the last event was recorded.
    `counts` and `lasts` have a column for each kind, `extremes` for each of EXTREMES, `decisions`
    those of each topic.
    """

    events: Integers
    id: Integers
    last_position: Integers
    scored_at: Integers
    counts: Sequence[Integers]
    extremes: Sequence[Integers]
    lasts: Sequence[Integers]
    linear_at: Integers
    linear: Integers
    decisions: Sequence[Decisions]

    @property
    def interactions(self) -> Integers:
        """The numbers of interactions of all kinds."""
        return _sum(self.counts)

    @property
    def last_at(self) -> Integers:
        """The instants of the last interactions of any kind."""
        return _greatest(self.lasts)

    @property
    def override(self) -> Decisions:
        """The latest overrides."""
        return self.decisions[_OVERRIDE]

    def by_name(self) -> dict[str, NDArray[Any]]:
        """All columns under the names that they have in tables."""
        columns: dict[str, Any] = self._asdict()
        for field, names in _NAMES.items():
            columns |= zip(names, columns.pop(field), strict=True)
        for fields, decisions in zip(DECISION_FIELDS, columns.pop("decisions"), strict=True):
            columns |= {fields.at: decisions.at, fields.value: decisions.value}
        return columns

    @classmethod
    def of_names(cls, columns: Mapping[str, NDArray[Any]]) -> "FoldColumns":
        """The inverse of `by_name`."""
        named: dict[str, Any] = {name: columns[name] for name in cls._fields if name in columns}
        named |= {field: [columns[name] for name in names] for field, names in _NAMES.items()}
        pairs = [(columns[fields.at], columns[fields.value]) for fields in DECISION_FIELDS]
        return cls(**named, decisions=[Decisions(*pair) for pair in pairs])


_NAMES = {"counts": COUNTS, "extremes": EXTREME_NAMES, "lasts": LASTS}
"""The names in tables of the fields that have several columns."""


def _sum(columns: Sequence[Integers]) -> Integers:
    total: Integers = np.add.reduce(columns)
    return total


def _greatest(columns: Sequence[Integers]) -> Integers:
    greatest: Integers = np.maximum.reduce(columns)
    return greatest


_OVERRIDE = [fields.topic for fields in DECISION_FIELDS].index(OVERRIDE)


def starts_of(*keys: Integers) -> Integers:
    """Return where rows begin whose keys differ from those before; 0 is always among them."""
    if not len(keys[0]):
        return np.empty(0, np.int64)
    differs = np.zeros(len(keys[0]), bool)
    differs[0] = True
    for key in keys:
        differs[1:] |= np.not_equal(*_neighbours(key))
    return np.flatnonzero(differs)


def _neighbours(column: Integers) -> tuple[Integers, Integers]:
    """All values but the first, and those before them."""
    return column[1:], column[:-1]


def fold(events: EventColumns, starts: Integers) -> FoldColumns:
    """Return the engagement that the events from each start to the next add up to.

    Those of an engagement come by occurred_at, and at one instant by position.
    """
    at, code, size = events.occurred_at, events.code, len(starts)
    of = _numbers(starts, len(at))
    counts, lasts = _by_kind(code, of, size)
    lasts_at = _at(at, lasts)
    linear_at, linear = _latest(at, events.linear, events.linear != NO, of, size, NO)
    codes = [DECISIONS[fields.topic] for fields in DECISION_FIELDS]
    decisions = [_latest(at, events.score, code == each, of, size, 0.0) for each in codes]
    id_, scored_at = _id_and_scored_at(events, starts, of)
    return FoldColumns(
        events=np.diff(starts, append=len(at)),
        id=id_,
        last_position=_at(events.position, _last_of(lasts, lasts_at)),
        scored_at=scored_at,
        counts=[*counts],
        extremes=_extremes_of([_touching(events, each.column) for each in EXTREMES], starts),
        lasts=[*lasts_at],
        linear_at=linear_at,
        linear=linear,
        decisions=[Decisions(*each) for each in decisions],
    )


def merge(folds: FoldColumns, starts: Integers) -> FoldColumns:
    """Return what the engagements from each start to the next add up to; none shares an event."""
    of, size = _numbers(starts, len(folds.id)), len(starts)
    touched = _touched(np.stack(folds.lasts))
    is_named = folds.linear_at != NO
    linear_at, linear = _latest(folds.linear_at, folds.linear, is_named, of, size, NO)
    decisions = [_latest(*each, each.at != NO, of, size, 0.0) for each in folds.decisions]
    return FoldColumns(
        events=np.add.reduceat(folds.events, starts),
        id=np.minimum.reduceat(folds.id, starts),
        last_position=_last_position(touched, folds.last_position, starts, of),
        scored_at=np.maximum.reduceat(folds.scored_at, starts),
        counts=[np.add.reduceat(each, starts) for each in folds.counts],
        extremes=_extremes_of(folds.extremes, starts),
        lasts=[np.maximum.reduceat(each, starts) for each in folds.lasts],
        linear_at=linear_at,
        linear=linear,
        decisions=[Decisions(*each) for each in decisions],
    )


_Values = TypeVar("_Values", Integers, Floats)
_Flags = NDArray[np.bool_]


def _numbers(starts: Integers, rows: int) -> Integers:
    """The number of the engagement that each row is of."""
    is_start = np.zeros(rows, np.int64)
    is_start[starts[1:]] = 1
    return np.cumsum(is_start)


def _by_kind(code: Integers, of: Integers, size: int) -> tuple[Integers, Integers]:
    """How many rows of each kind each engagement has, and which is the last; a line a kind."""
    places = np.maximum(code, 0) * size + of
    counts = np.bincount(places, minlength=(1 + len(Kind)) * size)
    lasts = np.full_like(counts, NO)
    np.maximum.at(lasts, places, np.arange(len(places)))
    return counts.reshape(-1, size)[1:], lasts.reshape(-1, size)[1:]


def _touching(events: EventColumns, column: str) -> Integers:
    """The values of interactions in a column; none for decisions."""
    values: Integers = getattr(events, column)
    return np.where(events.code > 0, values, NO)


def _extremes_of(columns: Sequence[Integers], starts: Integers) -> Sequence[Integers]:
    """The extremes from each start to the next; `columns` has one for each of EXTREMES."""
    rules = [_RULES[each.rule] for each in EXTREMES]
    return [rule(column, starts) for rule, column in zip(rules, columns, strict=True)]


def _least(values: Integers, starts: Integers) -> Integers:
    # As numbers without a sign, no instant is later than any.
    return np.minimum.reduceat(values.view(np.uint64), starts).view(np.int64)


_RULES: dict[str, Callable[[Integers, Integers], Integers]] = {
    "min": _least,
    "max": np.maximum.reduceat,
}


def _at(values: Integers, rows: Integers) -> Integers:
    """The value of each row; none where there is no row."""
    return np.where(rows == NO, NO, values[rows])


def _last_of(lasts: Integers, at: Integers) -> Integers:
    """The row of the last interaction, of which `lasts` has one of each kind."""
    kind = _touched(at) & (1 << _KIND_BITS) - 1
    rows: Integers = lasts[kind - 1, np.arange(len(kind))]
    return rows


def _touched(lasts_at: Integers) -> Integers:
    """The last interaction as a number that sorts as its instant does, at one instant as its kind.

    Below zero where there is none. `lasts_at` has a line for each kind.
    """
    touched: Integers = (lasts_at << _KIND_BITS | _EACH).max(axis=0)
    return touched


def _id_and_scored_at(
    events: EventColumns, starts: Integers, of: Integers
) -> tuple[Integers, Integers]:
    """The first position of each engagement, and when its last event was recorded.

    Those of the first and the last row, but for the rows that were recorded before an earlier one.
    """
    first = events.position[starts]
    last = events.recorded_at[np.append(starts[1:], len(of)) - 1]
    is_late = events.position[1:] < events.position[:-1]
    is_late[starts[1:] - 1] = False
    late = np.flatnonzero(is_late) + 1
    np.minimum.at(first, of[late], events.position[late])
    np.maximum.at(last, of[late], events.recorded_at[late - 1])
    return first, last


def _latest(  # noqa: PLR0913, PLR0917 - of columns of both kinds
    at: Integers, values: _Values, is_meant: _Flags, of: Integers, size: int, none: float
) -> tuple[Integers, _Values]:
    """The latest of the meant instants and its value; at equal ones the greater value."""
    latest_at, latest = np.full(size, NO), np.full(size, none, values.dtype)
    meant = np.flatnonzero(is_meant)
    np.maximum.at(latest_at, of[meant], at[meant])
    meant = meant[at[meant] == latest_at[of[meant]]]
    np.maximum.at(latest, of[meant], values[meant])
    return latest_at, latest


def _last_position(
    touched: Integers, positions: Integers, starts: Integers, of: Integers
) -> Integers:
    """The position of the last interaction; the latest recorded of those at one instant."""
    is_latest = (touched >= 0) & (touched == np.maximum.reduceat(touched, starts)[of])
    return np.maximum.reduceat(np.where(is_latest, positions, NO), starts)


# The score by columns: what `projections.scoring` and `projections.ranking` say, many at once.
#
# The formula is theirs alone. Whole days and small counts leave few different scores, and each of
# these is asked for once.

_DAYS_BITS = 32
_DAYS = (1 << _DAYS_BITS) - 1


class ScoreColumns(NamedTuple):
    """The columns that depend on a policy: `ranking.band`, the last that counts, and the score."""

    band: Integers
    active_at: Integers
    score: Floats


def scores(folds: FoldColumns, at: Integers, policy: ScoringPolicy) -> ScoreColumns:
    """Return what `policy` makes of engagements, each of which was touched, at each its instant."""
    count, active_at = _counted(folds, policy)
    override = folds.override
    idle_since = np.maximum(active_at, override.at)
    overridden = (override.at != NO) & (override.at == idle_since)
    band = np.where(count > 0, np.minimum(count, policy.frequency_bands), UNCOUNTED_BAND)
    days = np.maximum(0, (at - idle_since) // DAY)
    values = _weighted(count, days, policy)
    for row in np.flatnonzero(overridden):
        given = float(override.value[row])
        values[row] = score_of(policy, int(count[row]), int(days[row]), given).value
    return ScoreColumns(np.where(overridden, OVERRIDDEN_BAND, band), active_at, values)


def order(folds: FoldColumns, at: Instant, policy: ScoringPolicy) -> Integers:
    """Return the rows of engagements as they rank at `at` (R5).

    Each was touched; they come by issue.
    """
    scored = scores(folds, np.full(len(folds.id), at), policy)
    idle_since = np.maximum(scored.active_at, folds.override.at)
    pinned = (scored.band > OVERRIDDEN_BAND) & (at < scored.active_at + pin_ends_at(0, policy))
    first = np.where(pinned & bool(policy.pin_hours), -scored.active_at, 0)
    return np.lexsort((-idle_since, -scored.score, first))


def _counted(folds: FoldColumns, policy: ScoringPolicy) -> tuple[Integers, Integers]:
    """How many interactions count, and when the last one of these was."""
    counts = [folds.counts[kind - 1] for kind in policy.kinds]
    lasts = [folds.lasts[kind - 1] for kind in policy.kinds]
    return _sum(counts), _greatest(lasts)


def _weighted(count: Integers, days: Integers, policy: ScoringPolicy) -> Floats:
    """The scores without any override, of which the different ones are computed."""
    most = policy.frequency_bands + 1  # more make no difference
    pairs = (np.minimum(count, most) << _DAYS_BITS) | days
    different, which = np.unique(pairs, return_inverse=True)
    counts, idle = (different >> _DAYS_BITS).tolist(), (different & _DAYS).tolist()
    found = map(score_of, repeat(policy), counts, idle, repeat(None))
    values = np.array([each.value for each in found], np.float64)
    return np.where(count > 0, values[which], NEVER_COUNTED.value)
