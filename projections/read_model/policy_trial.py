"""Trials of a policy on the ledger's own history, user by user, before its adoption."""

from collections.abc import Callable, Iterable
from operator import add
from typing import NamedTuple

import msgspec

from ledger.instants import Instant
from ledger.store.event_queries import UserRows
from projections.as_of import AsOf, engagements_as_of
from projections.evaluation import Judge, Quality
from projections.policy import ScoringPolicy
from projections.top_change import TopChange, top_change

Progress = Callable[[int], object]
"""Called with the number of events processed since the last call."""


class Affected(NamedTuple):
    """A user whose first ten would change."""

    user_id: str
    display_name: str | None
    change: TopChange


class PolicyTrial(msgspec.Struct):
    """The changes by adopting a policy, and the quality of each ranking on the same history."""

    events: int
    users: int
    affected: list[Affected]
    in_force: Quality
    tried: Quality
    most_recent_first: Quality


def tried(
    everybody: Iterable[UserRows],
    policies: tuple[ScoringPolicy, ScoringPolicy],
    as_of: tuple[AsOf, Instant],
    judge: Judge,
    progress: Progress,
) -> PolicyTrial:
    """Compare the second of `policies` with the first, for all users.

    `as_of` selects the events, and the instant at which rankings are compared; `judge` is of these
    policies, or of a single one if both are the same.
    """
    trial = PolicyTrial(0, 0, [], Quality(), Quality(), Quality())
    seen, at = as_of
    for user_id, display_name, recorded in everybody:
        rows = seen.of(recorded)
        trial.events += len(rows)
        trial.users += bool(rows)
        one, *others = (judged.quality for judged in judge.judged(rows))
        qualities = (one, *others) if len(others) > 1 else (one, one, *others)
        sums = map(add, (trial.in_force, trial.tried, trial.most_recent_first), qualities)
        trial.in_force, trial.tried, trial.most_recent_first = sums
        change = top_change(engagements_as_of(rows, seen), at, *policies)
        if change is not None:
            trial.affected.append(Affected(user_id, display_name, change))
        progress(len(recorded))
    return trial
