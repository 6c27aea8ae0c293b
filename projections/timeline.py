"""Timelines: the score of one engagement at a series of instants, and when it changes.

A score is a step function of time. It changes when an event occurs, and at the end of each whole
day of idleness.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import cast

import msgspec

from ledger.commands import OVERRIDE, Kind
from ledger.events import EventRow
from ledger.instants import DAY, Instant
from projections.engagement import NONE, fold
from projections.policy import DEFAULT_POLICY, ScoringPolicy
from projections.scoring import NEVER_COUNTED, Score, score_of

_occurred_at = attrgetter("occurred_at")
_order = attrgetter("occurred_at", "position")


def timeline(
    rows: Iterable[EventRow],
    instants: Sequence[Instant],
    policy: ScoringPolicy = DEFAULT_POLICY,
) -> list[Score | None]:
    """The score at each of `instants`, None before the first interaction.

    Each is the score of the fold of the events that had occurred by the instant (R8), even if they
    were recorded later. `rows` are of one engagement; they and the instants may be in any order.
    """
    ordered, folded = sorted(rows, key=_occurred_at), 0
    running = _Running(policy)
    scores: dict[Instant, Score | None] = {}
    for at in sorted(set(instants)):
        while folded < len(ordered) and ordered[folded].occurred_at <= at:
            running.take(ordered[folded])
            folded += 1
        scores[at] = running.score(at)
    return [scores[at] for at in instants]


class _Running:
    """The part of a running fold that scores need, of events in the order of occurrence."""

    def __init__(self, policy: ScoringPolicy) -> None:
        self._policy, self._kinds = policy, frozenset(policy.kinds)
        self._most = policy.frequency_bands + 1  # more make no difference
        self._is_touched, self._count, self._last_at = False, 0, -1
        self._override: tuple[int, float] | None = None

    def take(self, row: EventRow) -> None:
        if row.topic == OVERRIDE:
            override = row.occurred_at, cast("float", row.score)
            self._override = max(self._override or override, override)
        elif row.is_interaction:
            self._is_touched = True
            if row.kind in self._kinds:
                self._count += 1
                self._last_at = row.occurred_at

    def score(self, at: Instant) -> Score | None:
        """Return the score, None before the first interaction."""
        idle_since, override = self._override or (-1, None)
        if idle_since < self._last_at:
            idle_since, override = self._last_at, None
        if not self._is_touched:
            return None
        if idle_since < 0:
            return NEVER_COUNTED
        days = (at - idle_since) // DAY
        return score_of(self._policy, min(self._count, self._most), days, override)


def instants_of_change(
    rows: Iterable[EventRow],
    start: Instant,
    end: Instant,
    policy: ScoringPolicy = DEFAULT_POLICY,
) -> list[Instant]:
    """`start`, `end`, and every instant in between at which the score may change, ascending.

    `rows` are of one engagement. Between adjacent instants its score is constant. There are at most
    as many instants as events and days in the span, plus two. Raises ValueError if `start` is after
    `end`.
    """
    if start > end:
        message = "start must not be after end"
        raise ValueError(message)
    known = [row for row in rows if row.occurred_at <= end]
    # Kinds that do not count restart no day, but the first touch of any kind ends the default
    # score.
    moving = sorted({row.occurred_at for row in known if _moves(row, policy)})
    instants = {
        start,
        end,
        *(Instant(row.occurred_at) for row in known if row.occurred_at >= start),
    }
    for at, following in pairwise([*moving, end + 1]):
        days = max(0, -((at - start) // DAY))  # rounded up: nothing before start is of interest
        instants.update(map(Instant, range(at + days * DAY, following, DAY)))
    return sorted(instants)


def _moves(row: EventRow, policy: ScoringPolicy) -> bool:
    """Whether idle days are counted from the event on."""
    return row.topic == OVERRIDE or row.kind in policy.kinds


class ScoreSeries(msgspec.Struct, frozen=True):
    """The score of one user's engagement with one issue over a span of time.

    `points` ascend, from the span's start to its end; each score holds until the next point, and is
    None before the first interaction. `interactions` and `overrides` are those within the span,
    ascending; `late` are the interactions that were recorded more than a day late.
    """

    issue_id: str
    points: list[tuple[Instant, Score | None]]
    interactions: list[tuple[Instant, Kind]]
    overrides: list[Instant]
    late: list[Instant] = []

    @property
    def start(self) -> Instant:
        """The first instant of the span."""
        (at, _), *_ = self.points
        return at

    @property
    def end(self) -> Instant:
        """The last instant of the span."""
        at, _ = self.points[-1]
        return at


def score_series(
    issue_id: str,
    rows: Iterable[EventRow],
    start: Instant,
    end: Instant,
    policy: ScoringPolicy = DEFAULT_POLICY,
) -> ScoreSeries:
    """The score of `issue_id` from `start` to `end`, exact at every moment.

    `rows` are of one user, in any order; those of other issues are left out. Events of one instant
    are in the order of recording. Raises ValueError if `start` is after `end`.
    """
    own = sorted((row for row in rows if row.issue_id == issue_id), key=_order)
    instants = instants_of_change(own, start, end, policy)
    within = [row for row in own if start <= row.occurred_at <= end]
    touches = [row for row in within if row.is_interaction]
    return ScoreSeries(
        issue_id,
        list(zip(instants, timeline(own, instants, policy), strict=True)),
        [(Instant(row.occurred_at), Kind(row.kind or 0)) for row in touches],
        [Instant(row.occurred_at) for row in within if row.topic == OVERRIDE],
        [Instant(row.occurred_at) for row in touches if row.is_late],
    )


class Step(msgspec.Struct, frozen=True):
    """The score of one engagement at the end of a step of a timeline, and what happened within it.

    `score` is None before the first interaction; `count` is that of all interactions so far. The
    other fields are of the step alone: the numbers of interactions by kind and of those recorded
    more than a day late, and the values of overrides.
    """

    at: Instant
    score: Score | None
    count: int
    counts: tuple[int, ...] = NONE.counts
    late: int = 0
    overrides: tuple[float, ...] = ()


def steps(
    rows: Iterable[EventRow],
    start: Instant,
    ends: Sequence[Instant],
    policy: ScoringPolicy = DEFAULT_POLICY,
) -> list[Step]:
    """One step for each of `ends`, which ascend; the first step begins at `start`.

    `rows` are of one engagement, in any order.
    """
    ordered = sorted(rows, key=_order)
    scores = timeline(ordered, ends, policy)
    found: list[Step] = []
    count = counted = 0
    begins = bisect_left(ordered, start, key=_occurred_at)
    for at, value in zip(ends, scores, strict=True):
        closes = bisect_right(ordered, at, key=_occurred_at)
        count += sum(row.is_interaction for row in ordered[counted:closes])
        found.append(_step(at, value, count, ordered[begins:closes]))
        begins = counted = closes
    return found


def _step(at: Instant, value: Score | None, count: int, within: list[EventRow]) -> Step:
    step = fold(within)
    return Step(
        at,
        value,
        count,
        step.counts,
        sum(row.is_interaction and row.is_late for row in within),
        tuple(row.score or 0.0 for row in within if row.topic == OVERRIDE),
    )
