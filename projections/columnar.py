"""The fold by columns: the same engagements as `projections.engagement.fold`, many at once.

Rows of one engagement stand side by side, in any order; `starts` are the numbers of the first ones.
Everything is found by reducing whole columns from start to start, so no row is looked at in Python.
Instants are microseconds UTC; -1 stands for none, here as in every column of integers.
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
    """Return the engagement that the events from each start to the next add up to."""
    at, kind = events.occurred_at, events.kind
    is_touch = kind > 0
    mentions, views, queries = (
        np.add.reduceat(kind == each, starts, dtype=np.int64) for each in Kind
    )
    mentioned_at, viewed_at, queried_at = (_last(at, kind == each, starts) for each in Kind)
    linear_at, linear = _latest(at, events.linear, events.linear != NO, starts, NO)
    override_at, override = _latest(at, events.score, ~is_touch, starts, 0.0)
    touched = np.where(is_touch, at * _RANKS + kind, NO)
    return FoldColumns(
        events=np.diff(starts, append=len(at)),
        id=np.minimum.reduceat(events.position, starts),
        last_position=_last_position(touched, events.position, starts),
        scored_at=np.maximum.reduceat(events.recorded_at, starts),
        mentions=mentions,
        views=views,
        queries=queries,
        first_at=_first(np.where(is_touch, at, NO), starts),
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
    return FoldColumns(
        events=np.add.reduceat(folds.events, starts),
        id=np.minimum.reduceat(folds.id, starts),
        last_position=_last_position(np.maximum.reduce(touched), folds.last_position, starts),
        scored_at=np.maximum.reduceat(folds.scored_at, starts),
        mentions=np.add.reduceat(folds.mentions, starts),
        views=np.add.reduceat(folds.views, starts),
        queries=np.add.reduceat(folds.queries, starts),
        first_at=_first(folds.first_at, starts),
        mentioned_at=np.maximum.reduceat(folds.mentioned_at, starts),
        viewed_at=np.maximum.reduceat(folds.viewed_at, starts),
        queried_at=np.maximum.reduceat(folds.queried_at, starts),
        linear_at=linear_at,
        linear=linear,
        override_at=override_at,
        override=override,
    )


_Values = TypeVar("_Values", Integers, Floats)


def _last(at: Integers, is_meant: NDArray[np.bool_], starts: Integers) -> Integers:
    return np.maximum.reduceat(np.where(is_meant, at, NO), starts)


def _first(at: Integers, starts: Integers) -> Integers:
    """The earliest instant; as numbers without a sign, none is later than any."""
    return np.minimum.reduceat(at.view(np.uint64), starts).view(np.int64)


def _latest(
    at: Integers, values: _Values, is_meant: NDArray[np.bool_], starts: Integers, none: float
) -> tuple[Integers, _Values]:
    """The latest of the meant instants and its value; at equal ones the greater value."""
    if not is_meant.any():
        return np.full(len(starts), NO), np.full(len(starts), none, values.dtype)
    latest_at = _last(at, is_meant, starts)
    is_latest = is_meant & (at == _spread(latest_at, starts, len(at)))
    return latest_at, np.maximum.reduceat(np.where(is_latest, values, none), starts)


def _last_position(touched: Integers, positions: Integers, starts: Integers) -> Integers:
    """The position of the last interaction; the latest recorded of those at one instant."""
    latest = np.maximum.reduceat(touched, starts)
    is_latest = (touched != NO) & (touched == _spread(latest, starts, len(touched)))
    return np.maximum.reduceat(np.where(is_latest, positions, NO), starts)


def _spread(values: Integers, starts: Integers, rows: int) -> Integers:
    """Each value as often as its engagement has rows."""
    return np.repeat(values, np.diff(starts, append=rows))
