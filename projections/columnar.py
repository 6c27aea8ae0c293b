"""The fold by columns: the same engagements as `projections.engagement.fold`, many at once.

Rows of one engagement stand side by side; `starts` are the numbers of the first ones. Everything is
found by running over whole columns, so no row is looked at in Python. Instants are microseconds UTC;
-1 stands for none, here as in every column of integers.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ledger.interaction import Kind

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

NO = -1
"""Stands for nothing in a column of integers."""

_RANKS = max(Kind) + 1  # so that an instant and a kind's rank make one number that sorts as both do


class EventColumns(NamedTuple):
    """Events: what `ledger.events.EventRow` says of each, but for whose and which issue's it is.

    `kind` is 0 for an override, which alone has a `score`; `linear` is the rank of the Linear id
    among those of all rows.
    """

    position: Integers
    kind: Integers
    occurred_at: Integers
    recorded_at: Integers
    linear: Integers
    score: Floats


class FoldColumns(NamedTuple):
    """Engagements: the fields of `Engagement`, and what its row of the read model has beside them.

    `events` counts what was folded, overrides too. `id` is the position of the first event and
    `last_position` that of the last interaction; `scored_at` is when the last event was recorded.
    `override` is 0 where there is none.
    """

    events: Integers
    id: Integers
    last_position: Integers
    scored_at: Integers
    mentions: Integers
    views: Integers
    queries: Integers
    first_at: Integers
    mentioned_at: Integers
    viewed_at: Integers
    queried_at: Integers
    linear_at: Integers
    linear: Integers
    override_at: Integers
    override: Floats


def starts_of(*keys: Integers) -> Integers:
    """Return where rows begin whose keys differ from those before; 0 is always among them."""
    if not len(keys[0]):
        return np.empty(0, np.int64)
    differs = np.zeros(len(keys[0]), bool)
    differs[0] = True
    for key in keys:
        differs[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(differs)


def fold(events: EventColumns, starts: Integers) -> FoldColumns:
    """Return the engagement that the events from each start to the next add up to.

    Those of an engagement come by occurred_at, and at one instant by position.
    """
    at, rows = events.occurred_at, len(events.occurred_at)
    ends = np.append(starts[1:], rows)
    counts, lasts = zip(*(_counted(events.kind == kind, starts, ends) for kind in Kind), strict=True)
    mentioned_at, viewed_at, queried_at = (_at(at, last) for last in lasts)
    linear_at, linear = _latest(at, events.linear, events.linear != NO, starts, NO)
    override_at, override = _latest(at, events.score, events.kind == 0, starts, 0.0)
    id_, scored_at = _extremes(events, starts, ends)
    return FoldColumns(
        events=ends - starts,
        id=id_,
        last_position=_position_of_last(events, lasts),
        scored_at=scored_at,
        mentions=counts[0],
        views=counts[1],
        queries=counts[2],
        first_at=_at(at, _first(events.kind > 0, starts, ends)),
        mentioned_at=mentioned_at,
        viewed_at=viewed_at,
        queried_at=queried_at,
        linear_at=linear_at,
        linear=linear,
        override_at=override_at,
        override=override,
    )


def merge(folds: FoldColumns, starts: Integers) -> FoldColumns:
    """Return what the engagements from each start to the next add up to; none shares an event."""
    lasts = (folds.mentioned_at, folds.viewed_at, folds.queried_at)
    touched = [
        np.where(at == NO, NO, at * _RANKS + kind) for at, kind in zip(lasts, Kind, strict=True)
    ]
    linear_at, linear = _latest(folds.linear_at, folds.linear, folds.linear_at != NO, starts, NO)
    overridden_at, is_overridden = folds.override_at, folds.override_at != NO
    override_at, override = _latest(overridden_at, folds.override, is_overridden, starts, 0.0)
    # As numbers without a sign, no instant is later than any.
    first_at = np.minimum.reduceat(folds.first_at.view(np.uint64), starts).view(np.int64)
    return FoldColumns(
        events=np.add.reduceat(folds.events, starts),
        id=np.minimum.reduceat(folds.id, starts),
        last_position=_last_position(np.maximum.reduce(touched), folds.last_position, starts),
        scored_at=np.maximum.reduceat(folds.scored_at, starts),
        mentions=np.add.reduceat(folds.mentions, starts),
        views=np.add.reduceat(folds.views, starts),
        queries=np.add.reduceat(folds.queries, starts),
        first_at=first_at,
        mentioned_at=np.maximum.reduceat(folds.mentioned_at, starts),
        viewed_at=np.maximum.reduceat(folds.viewed_at, starts),
        queried_at=np.maximum.reduceat(folds.queried_at, starts),
        linear_at=linear_at,
        linear=linear,
        override_at=override_at,
        override=override,
    )


_Values = TypeVar("_Values", Integers, Floats)
_Flags = NDArray[np.bool_]


def _counted(is_meant: _Flags, starts: Integers, ends: Integers) -> tuple[Integers, Integers]:
    """How many rows of each engagement are meant, and which is the last of them.

    A running count is far cheaper than reducing engagement by engagement.
    """
    meant, upto = _running(is_meant)
    counts = upto[ends] - upto[starts]
    return counts, np.where(counts > 0, meant[upto[ends] - 1], NO)


def _first(is_meant: _Flags, starts: Integers, ends: Integers) -> Integers:
    """Which row of each engagement is the first that is meant."""
    meant, upto = _running(is_meant)
    return np.where(upto[ends] > upto[starts], meant[upto[starts]], NO)


def _running(is_meant: _Flags) -> tuple[Integers, Integers]:
    """The rows that are meant, -1 after them, and how many of them there are before each row."""
    upto = np.zeros(len(is_meant) + 1, np.int64)
    np.cumsum(is_meant, out=upto[1:])
    return np.append(np.flatnonzero(is_meant), NO), upto


def _at(values: Integers, rows: Integers) -> Integers:
    """The value of each row; none where there is no row."""
    return np.where(rows == NO, NO, values[rows])


def _extremes(
    events: EventColumns, starts: Integers, ends: Integers
) -> tuple[Integers, Integers]:
    """The first position of each engagement, and when its last event was recorded.

    Those of the first and the last row, but for the rows that were recorded before an earlier one.
    """
    first, last = events.position[starts], events.recorded_at[ends - 1]
    is_late = events.position[1:] < events.position[:-1]
    is_late[starts[1:] - 1] = False
    late = np.flatnonzero(is_late) + 1
    of = np.searchsorted(starts, late, "right") - 1
    np.minimum.at(first, of, events.position[late])
    np.maximum.at(last, of, events.recorded_at[late - 1])
    return first, last


def _position_of_last(events: EventColumns, lasts: tuple[Integers, ...]) -> Integers:
    """The position of the last interaction, of which `lasts` has one of each kind."""
    latest, position = np.full(len(lasts[0]), NO), np.full(len(lasts[0]), NO)
    for rows in lasts:  # a greater kind is the last at one instant
        at = _at(events.occurred_at, rows)
        is_later = (at >= latest) & (rows != NO)
        latest = np.where(is_later, at, latest)
        position = np.where(is_later, events.position[rows], position)
    return position


def _latest(
    at: Integers, values: _Values, is_meant: _Flags, starts: Integers, none: float
) -> tuple[Integers, _Values]:
    """The latest of the meant instants and its value; at equal ones the greater value."""
    latest_at, latest = np.full(len(starts), NO), np.full(len(starts), none, values.dtype)
    meant = np.flatnonzero(is_meant)
    if len(meant):
        of = np.searchsorted(starts, meant, "right") - 1
        begins = starts_of(of)
        found, at = of[begins], at[meant]
        latest_at[found] = np.maximum.reduceat(at, begins)
        is_latest = at == latest_at[of]
        latest[found] = np.maximum.reduceat(np.where(is_latest, values[meant], none), begins)
    return latest_at, latest


def _last_position(touched: Integers, positions: Integers, starts: Integers) -> Integers:
    """The position of the last interaction; the latest recorded of those at one instant."""
    latest = np.maximum.reduceat(touched, starts)
    is_latest = (touched != NO) & (touched == np.repeat(latest, np.diff(starts, append=len(touched))))
    return np.maximum.reduceat(np.where(is_latest, positions, NO), starts)
