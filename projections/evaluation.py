"""The evaluation of a policy: what it changes in a ranking, and how good rankings have been."""

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

import msgspec

from ledger.commands import OVERRIDE
from ledger.events import INTERACTION, EventRow
from ledger.instants import DAY, Instant, instant_of, moment_of
from projections.engagement import Engagement
from projections.policy import ScoringPolicy
from projections.rank_history import RecentFirst, Standings, Steps, numbered, standings
from projections.ranking import Ranked, ranking
from projections.scoring import Score

# The changes that another policy would make to a user's ranking: the top ten, and moves.

TOP = 10


class Standing(NamedTuple):
    """The rank of an issue, from 1, and its score."""

    rank: int
    score: Score


class Move(NamedTuple):
    """An issue among the first ten before or after, whose rank changes."""

    issue_id: str
    before: Standing
    after: Standing
    distance: int
    """The distance, in ranks."""


class TopChange(NamedTuple):
    """The differences of the first ten; `moves` are sorted by distance, the furthest first."""

    entered: list[str]
    left: list[str]
    reordered: bool
    moves: list[Move]


def top_change(
    engagements: Sequence[tuple[str, Engagement]],
    at: Instant,
    before: ScoringPolicy,
    after: ScoringPolicy,
) -> TopChange | None:
    """The changes of one user's first ten at `at`, or None if there are none.

    `reordered` is whether the issues that stay change their order among themselves.
    """
    old, new = ranking(engagements, at, before), ranking(engagements, at, after)
    first, then = _issues(old[:TOP]), _issues(new[:TOP])
    if first == then:
        return None
    return TopChange(
        entered=[issue for issue in then if issue not in first],
        left=[issue for issue in first if issue not in then],
        reordered=[i for i in first if i in then] != [i for i in then if i in first],
        moves=_moves(dict.fromkeys([*first, *then]), old, new),
    )


def _moves(issues: Iterable[str], old: list[Ranked], new: list[Ranked]) -> list[Move]:
    before, after = _standings(old), _standings(new)
    moves = [_move(issue, before, after) for issue in issues]
    return sorted((each for each in moves if each.distance), key=lambda each: -each.distance)


def _move(issue: str, before: dict[str, Standing], after: dict[str, Standing]) -> Move:
    old, new = before[issue], after[issue]
    return Move(issue, old, new, abs(old.rank - new.rank))


def _standings(ranked: list[Ranked]) -> dict[str, Standing]:
    return {each.issue_id: Standing(rank, each.score) for rank, each in enumerate(ranked, 1)}


def _issues(ranked: list[Ranked]) -> list[str]:
    return [each.issue_id for each in ranked]


# Evaluation of rankings: would a ranking have shown what the user turned to next?
#
# Two measures on a user's history. *Returns*: whenever the user returned to an issue, which rank
# did it have just before? *Briefings*: of the known issues that the user touched in a week, how
# many were among the ten that the ranking showed on its Monday? Nothing here looks ahead: each rank
# is computed from what had occurred before the instant in question.

BRIEFED = 10
"""The number of issues in a briefing."""

BURST = 60_000_000
"""Microseconds since the last touch of an issue up to which another one is not a return."""

ONE = 1 << 64
"""The integer for a share of 1, because sums of integers do not depend on the order."""

_WEEK_DAYS = 7
_NO_WEEK = Instant(0), Instant(0)
_OCCURRED_AT = attrgetter("occurred_at")


class Quality(msgspec.Struct, frozen=True):
    """The counts for one ranking; they are sums, so users can be added in any order.

    `returns` are interactions with an issue that the user had touched at an earlier instant, the
    last time more than a minute before: bursts count as one. `hits_at_n` of them had their issue
    among the first n of the ranking as it stood before that instant; `reciprocals` is the sum of 1
    divided by its rank.

    `weeks` are pairs of a user and a calendar week, Monday to Sunday, in which the user touched
    some issue that was touched before the week, too. `recalls` is the sum over them of the share of
    those issues that were among the first ten on Monday at 00:00. Both are in parts of `ONE`.
    """

    returns: int = 0
    hits_at_1: int = 0
    hits_at_5: int = 0
    hits_at_10: int = 0
    reciprocals: int = 0
    weeks: int = 0
    recalls: int = 0

    def __add__(self, other: "Quality") -> "Quality":
        """The counts of both together."""
        mine, its = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Quality(*(one + another for one, another in zip(mine, its, strict=True)))

    @property
    def figures(self) -> "Figures":
        """The shares and means; None where nothing was counted."""
        return Figures(
            self.returns,
            _ratio(self.hits_at_1, self.returns),
            _ratio(self.hits_at_5, self.returns),
            _ratio(self.hits_at_10, self.returns),
            _ratio(self.reciprocals, ONE * self.returns),
            self.weeks,
            _ratio(self.recalls, ONE * self.weeks),
        )


class Figures(msgspec.Struct, frozen=True):
    """The quality of a ranking, each figure from 0 to 1 and higher is better."""

    returns: int
    hit_at_1: float | None
    hit_at_5: float | None
    hit_at_10: float | None
    mean_reciprocal_rank: float | None
    weeks: int
    recall_at_10: float | None


class Judged(msgspec.Struct, frozen=True):
    """The rank at each return, and the recall of each week's briefing."""

    ranks: list[int]
    recalls: list[float]

    @property
    def quality(self) -> Quality:
        """The counts for one user."""
        return Quality(
            len(self.ranks),
            self._hits_at(1),
            self._hits_at(5),
            self._hits_at(BRIEFED),
            sum(ONE // rank for rank in self.ranks),
            len(self.recalls),
            sum(round(ONE * recall) for recall in self.recalls),
        )

    def _hits_at(self, most: int) -> int:
        return sum(rank <= most for rank in self.ranks)


class Weeks:
    """Calendar weeks in a zone, Monday to Sunday, cached by days."""

    def __init__(self, zone: dt.tzinfo) -> None:
        """Start with an empty cache."""
        self._zone = zone
        self._known: dict[int, tuple[Instant, Instant]] = {}

    def around(self, at: int) -> tuple[Instant, Instant]:
        """The instants at which the week of `at` and the next one begin."""
        first, following = self._known.get(at // DAY, _NO_WEEK)
        if not first <= at < following:  # a UTC day may belong to two weeks
            first, following = self._known[at // DAY] = self._computed(at)
        return first, following

    def _computed(self, at: int) -> tuple[Instant, Instant]:
        day = moment_of(Instant(at)).astimezone(self._zone).date()
        first = day - dt.timedelta(days=day.weekday())
        monday = dt.datetime.combine(first, dt.time(), self._zone)
        return instant_of(monday), instant_of(monday + dt.timedelta(days=_WEEK_DAYS))


class Judge:
    """Evaluates rankings on users' histories: those of `policies`, and "most recent first"."""

    def __init__(self, policies: Iterable[ScoringPolicy], zone: dt.tzinfo = dt.UTC) -> None:
        """Use weeks that begin on Monday at 00:00 in `zone`."""
        self._steps = [Steps(policy) for policy in policies]
        self._weeks = Weeks(zone)

    def judged(self, rows: Iterable[EventRow]) -> list[Judged]:
        """The results of one user's events for each policy, and last for "most recent first"."""
        events = sorted(rows, key=_OCCURRED_AT)
        if not events:
            return [Judged([], []) for _ in (*self._steps, RecentFirst)]
        days = (events[-1].occurred_at - events[0].occurred_at) // DAY + _WEEK_DAYS
        issues = numbered({row.issue_id for row in events})
        rankings = [standings(issues, steps, days) for steps in self._steps]
        return _History(events, issues, [*rankings, RecentFirst(issues)], self._weeks).judge()


class _History:
    """One pass over a user's events in the order in which they occurred."""

    def __init__(
        self,
        events: Sequence[EventRow],
        issues: dict[str, int],
        rankings: Sequence[Standings],
        weeks: Weeks,
    ) -> None:
        self._events = events
        self._issues = issues
        self._judged = [(ranking, Judged([], [])) for ranking in rankings]
        self._touches = [ranking.touch for ranking in rankings]
        self._overrides = [ranking.override for ranking in rankings]
        self._weeks = weeks
        self._last_at: list[int | None] = [None] * len(issues)

    def judge(self) -> list[Judged]:
        start, next_monday = 0, 0
        while start < len(self._events):
            at = self._events[start].occurred_at
            if at >= next_monday:
                monday, next_monday = self._weeks.around(at)
                self._brief(start, monday, next_monday)
            start = self._take_instant(start, at)
        return [judged for _, judged in self._judged]

    def _take_instant(self, start: int, at: int) -> int:
        """Evaluate the events of one instant by all before it, then add them."""
        events = self._events
        end = start + 1
        while end < len(events) and events[end].occurred_at == at:
            end += 1
        for row in events[start:end]:
            if row.topic == INTERACTION:
                self._return(self._issues[row.issue_id], at)
        for row in events[start:end]:
            self._add(row)
        return end

    def _add(self, row: EventRow) -> None:
        issue = self._issues[row.issue_id]
        if row.topic == INTERACTION:
            for touch in self._touches:
                touch(issue, row.kind or 0, row.occurred_at)
        elif row.topic == OVERRIDE:
            for override in self._overrides:
                override(issue, row.occurred_at, row.score or 0.0)

    def _return(self, issue: int, at: int) -> None:
        last_at = self._last_at[issue]
        self._last_at[issue] = at
        if last_at is not None and at - last_at > BURST:
            for ranking, judged in self._judged:
                judged.ranks.append(ranking.rank(issue, at))

    def _brief(self, start: int, monday: int, next_monday: int) -> None:
        """Evaluate the briefing of the week whose first event is the one at `start`."""
        end = bisect_left(self._events, next_monday, start, key=_OCCURRED_AT)
        week = self._events[start:end]
        touched = {self._issues[row.issue_id] for row in week if row.topic == INTERACTION}
        known = [issue for issue in touched if self._last_at[issue] is not None]
        if known:
            for ranking, judged in self._judged:
                shown = sum(ranking.rank(issue, monday) <= BRIEFED for issue in known)
                judged.recalls.append(shown / len(known))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
