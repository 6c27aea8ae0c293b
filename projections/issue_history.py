"""The history of an issue at Linear: its fields as of a moment, and how long it was in each state.

Everything is a fold of observations. Each field has the value of the last description by
`ledger.observations.order_of`; the order in which the ledger learned of them does not matter.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from ledger.as_of import AsOf
from ledger.events import IssueObserved
from ledger.instants import Instant, moment_of
from ledger.observations import BLOCKERS, Order, order_of, said_by

IssueFold = Mapping[str, tuple[Order, Any]]
"""The value of each field that was described, and what it is sorted by."""

NOTHING: IssueFold = {}
"""The fold of no observation, and the identity of `merge`."""


class IssueAt(msgspec.Struct, frozen=True, kw_only=True):
    """An issue as of a moment; a field that Linear never described is UNSET."""

    issue: str
    identifier: str
    team: str
    state_type: str
    state_id: str | None
    removed: bool
    former_identifiers: tuple[str, ...] | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    assignee: UUID | UnsetType | None = UNSET
    due_date: dt.date | UnsetType | None = UNSET
    cycle: str | UnsetType | None = UNSET
    project: str | UnsetType | None = UNSET
    labels: tuple[str, ...] | UnsetType = UNSET
    estimate: float | UnsetType | None = UNSET
    blockers: tuple[str, ...] | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    trashed: bool | UnsetType = UNSET
    public_team: str | UnsetType | None = UNSET

    @property
    def is_public(self) -> bool:
        """Whether Linear said that the issues of the team in which it is now are public."""
        return self.public_team == self.team


class StateSpan(NamedTuple):
    """A time in one state; `ended_at` is None if it had not ended."""

    state_type: str
    state_id: str | None
    begun_at: Instant
    ended_at: Instant | None


def fold(events: Iterable[IssueObserved]) -> IssueFold:
    """The fold of some observations of one issue, in any order."""
    return reduce(merge, map(_fold_of_one, events), NOTHING)


def merge(one: IssueFold, other: IssueFold) -> IssueFold:
    """The fold of all observations of two folds; associative and commutative."""
    fields = dict.fromkeys((*one, *other))
    return {
        field: max((each[field] for each in (one, other) if field in each), key=_order)
        for field in fields
    }


def _fold_of_one(event: IssueObserved) -> IssueFold:
    return {field: (order_of(event, field), value) for field, value in said_by(event).items()}


def _order(said: tuple[Order, Any]) -> Order:
    return said[0]


def issue_at(events: Sequence[IssueObserved], as_of: AsOf) -> IssueAt | None:
    """The issue of `events` as of a moment; None if Linear had not described it by then.

    Comments say nothing of its fields.

    Blockers have no `updated_at`: those count that Linear had said by then.
    """
    seen = [each for each in events if as_of.sees(each.updated_at, each.recorded_at)]
    said = dict(fold(seen))
    if not said:
        return None
    related = fold(each for each in events if as_of.sees(each.said_at, each.recorded_at))
    said.pop(BLOCKERS, None)
    if BLOCKERS in related:
        said[BLOCKERS] = related[BLOCKERS]
    values = {field: value for field, (_, value) in said.items()}
    state_type, state_id = values.pop("state")
    return IssueAt(issue=seen[0].issue, state_type=state_type, state_id=state_id, **values)


# Time in each state.


def state_spans(events: Iterable[IssueObserved], as_of: AsOf) -> list[StateSpan]:
    """The times in each state as of a moment, in their order.

    A state begins when Linear says so; a description that does not say it begins one with its
    `updated_at`, so the state may have begun before where descriptions are missing. A beginning
    that contradicts an earlier description does not count. Removing the issue ends its state.
    """
    spans: list[StateSpan] = []
    since_at_least = described_at = Instant(0)
    for each in _states(events, as_of):
        last = spans[-1] if spans and spans[-1].ended_at is None else None
        if last is None or last[:2] != each.state:
            begun_at = each.since if each.since > described_at else each.at
            _begin(spans, each.state, begun_at)
            since_at_least = described_at
        elif each.since > last.begun_at:  # it was left meanwhile, and entered again
            _begin(spans, each.state, each.since)
            since_at_least = last.begun_at
        elif each.since > since_at_least:
            spans.pop()
            _begin(spans, each.state, each.since)
        described_at = each.at
    return spans


def _begin(spans: list[StateSpan], state: "_State | None", at: Instant) -> None:
    """End the last span at a moment, unless it had ended before, and begin one if there is one."""
    if spans and (spans[-1].ended_at is None or spans[-1].ended_at > at):
        spans[-1] = spans[-1]._replace(ended_at=at)
    if state is not None:
        spans.append(StateSpan(*state, at, None))


_State = tuple[str, str | None]


class _Described(NamedTuple):
    """A state, or None where the issue was removed; `since` is 0 where Linear did not say it."""

    at: Instant
    state: _State | None
    since: Instant


def _states(events: Iterable[IssueObserved], as_of: AsOf) -> Iterable[_Described]:
    """The state at each `updated_at`."""
    described: dict[Instant, _Described] = {}
    for event in _in_order(events, as_of):
        if said := said_by(event):
            each = _Described(
                event.updated_at, None if said["removed"] else said["state"], _since(event)
            )
            before = described.get(each.at)
            if before is not None and before.state == each.state and not each.since:
                each = before
            described[each.at] = each
    return described.values()


def _since(event: IssueObserved) -> Instant:
    since = event.state_since
    return Instant(0) if since is UNSET or since > event.updated_at else since


def _in_order(events: Iterable[IssueObserved], as_of: AsOf) -> list[IssueObserved]:
    seen = (each for each in events if as_of.sees(each.updated_at, each.recorded_at))
    return sorted(seen, key=lambda each: order_of(each, "state"))


# Stagnation: a started issue that no person has moved for many working days.

STARTED = "started"
STAGNANT_WORKING_DAYS = 5
USUAL_SPANS = 20
"""The fewest finished times in a state that make something usual for it."""
_USUAL_SHARE = 0.85
_MOVING = ("state", "priority", "assignee", "due_date", "cycle", "project", "estimate")
"""Fields whose change by a person moves an issue; labels and places on a board do not."""
_WEEK, _WORKING_DAYS = 7, 5


def unmoved_days(
    events: Iterable[IssueObserved], as_of: AsOf, now: Instant, zone: dt.tzinfo
) -> int | None:
    """The working days for which no person moved an issue; None if it is not a started one.

    They count from the first webhook about it at the earliest, and are None before: look-ups tell
    neither of comments nor who changed something. Snoozes are not known yet.
    """
    seen = _in_order(events, as_of)
    spans, webhooks = state_spans(seen, as_of), [each for each in seen if each.origin == "webhook"]
    if not (webhooks and spans) or spans[-1].ended_at is not None:
        return None
    if spans[-1].state_type != STARTED:
        return None
    since = max(spans[-1].begun_at, _moved_at(seen), min(each.updated_at for each in webhooks))
    return working_days(since, now, zone)


def is_stagnant(unmoved_working_days: int, usual_working_days: float = 0.0) -> bool:
    """Whether an issue was not moved for longer than is usual, and than five working days."""
    return unmoved_working_days > max(STAGNANT_WORKING_DAYS, usual_working_days)


def usual_working_days(
    spans: Iterable[StateSpan], state: tuple[str, str | None], zone: dt.tzinfo
) -> float:
    """The 85th percentile of the working days of finished times in a state; 0.0 for few of them."""
    lasted = sorted(
        working_days(each.begun_at, each.ended_at, zone)
        for each in spans
        if (each.state_type, each.state_id) == state and each.ended_at is not None
    )
    return lasted[math.ceil(_USUAL_SHARE * len(lasted)) - 1] if len(lasted) >= USUAL_SPANS else 0.0


def _moved_at(in_order: Iterable[IssueObserved]) -> Instant:
    """When a person last commented, or changed a field that moves an issue; 0 if never."""
    moved_at, known = Instant(0), dict[str, Any]()
    for each in in_order:
        said = {name: value for name, value in said_by(each).items() if name in _MOVING}
        is_changed = any(known.get(name, value) != value for name, value in said.items())
        has_moved = each.commented or is_changed
        if has_moved and isinstance(each.actor, UUID) and each.actor_is_app is not True:
            moved_at = each.updated_at
        known |= said
    return moved_at


def working_days(since: Instant, until: Instant, zone: dt.tzinfo) -> int:
    """The number of days from Monday to Friday after the day of `since`, up to that of `until`."""
    first, last = (moment_of(each).astimezone(zone).date() for each in (since, until))
    weeks, days = divmod(max(0, (last - first).days), _WEEK)
    rest = (first.weekday() + each for each in range(1, days + 1))
    return weeks * _WORKING_DAYS + sum(day % _WEEK < _WORKING_DAYS for day in rest)
