"""The fold by columns: the same engagements as `projections.engagement.fold`, many at once.

Rows of one engagement stand side by side; `starts` are the numbers of the first ones. Everything
is found by running over whole columns, so no row is looked at in Python. Instants are microseconds
UTC; -1 stands for none, here as in every column of integers.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ledger.interaction import Kind

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

NO = -1
"""Stands for nothing in a column of integers."""

_BITS = 21
_ONE_OF_KIND = np.array([0, *(1 << _BITS * number for number in range(len(Kind)))])
"""One number counts all kinds: running counts are far cheaper than counting each engagement's."""

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

    Those of an engagement come by occurred_at, and at one instant by position; there are at most
    two million of all.
    """
    at, kind = events.occurred_at, events.kind
    ends = np.append(starts[1:], len(at))
    running = np.append(0, np.cumsum(_ONE_OF_KIND[kind]))
    before, upto = _by_kind(running[starts]), _by_kind(running[ends])
    counts = [after - earlier for after, earlier in zip(upto, before, strict=True)]
    lasts = [
        _row(np.flatnonzero(kind == each), upto[each - 1] - 1, counts[each - 1]) for each in Kind
    ]
    lasts_at = [_at(at, rows) for rows in lasts]
    first = _row(np.flatnonzero(kind > 0), np.add.reduce(before), np.add.reduce(counts))
    linear_at, linear = _latest(at, events.linear, events.linear != NO, starts, NO)
    override_at, override = _latest(at, events.score, kind == 0, starts, 0.0)
    id_, scored_at = _extremes(events, starts, ends)
    return FoldColumns(
        events=ends - starts,
        id=id_,
        last_position=_at(events.position, _last_of(lasts, lasts_at)),
        scored_at=scored_at,
        mentions=counts[0],
        views=counts[1],
        queries=counts[2],
        first_at=_at(at, first),
        mentioned_at=lasts_at[0],
        viewed_at=lasts_at[1],
        queried_at=lasts_at[2],
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


def _by_kind(packed: Integers) -> list[Integers]:
    """The counts of mentions, views and queries."""
    return [packed >> _BITS * number & (1 << _BITS) - 1 for number in range(len(Kind))]


def _row(rows: Integers, numbers: Integers, counts: Integers) -> Integers:
    """The rows of those numbers; none where an engagement has no such row."""
    return np.where(counts > 0, np.append(rows, NO)[numbers], NO)


def _at(values: Integers, rows: Integers) -> Integers:
    """The value of each row; none where there is no row."""
    return np.where(rows == NO, NO, values[rows])


def _last_of(rows: list[Integers], at: list[Integers]) -> Integers:
    """The row of the last interaction, of which `rows` has one of each kind."""
    last, latest = rows[0], at[0]
    for row, instant in zip(rows[1:], at[1:], strict=True):  # at one instant the greater kind
        is_later = instant >= latest
        last, latest = np.where(is_later, row, last), np.where(is_later, instant, latest)
    return last


def _extremes(events: EventColumns, starts: Integers, ends: Integers) -> tuple[Integers, Integers]:
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
    is_latest = (touched != NO) & (
        touched == np.repeat(latest, np.diff(starts, append=len(touched)))
    )
    return np.maximum.reduceat(np.where(is_latest, positions, NO), starts)
