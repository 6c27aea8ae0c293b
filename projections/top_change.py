"""The changes that another policy would make to a user's ranking: the top ten, and moves."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ledger.instants import Instant
from projections.engagement import Engagement
from projections.policy import ScoringPolicy
from projections.ranking import Ranked, ranking
from projections.scoring import Score

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
