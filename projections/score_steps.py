"""A policy's scores as steps: the age up to which each band scores more than a given score."""

import math
from bisect import bisect_left, bisect_right
from itertools import pairwise

from ledger.events import EventRow
from ledger.instants import DAY, Instant
from projections.engagement import Engagement, fold
from projections.policy import MOST_FREQUENCY_BANDS, ScoringPolicy
from projections.scoring import score

SHIFT = 32
"""Keys hold an instant and, in the bits below, the number of an issue."""

_HOUR = DAY // 24
_MOST_DAYS = 10_000 * 366


class Steps:
    """The scores of a policy by band and whole idle days, up to the first day that scores 0.

    They are computed as far as needed, and shared by all users.
    """

    def __init__(self, policy: ScoringPolicy) -> None:
        """Start without any computed score."""
        self.policy = policy
        self.pin = math.ceil(policy.pin_hours * _HOUR) << SHIFT
        self.is_steady = True
        """Whether bands can be used for this policy: they are few, and no score rises with the
        days.
        """
        self.falling: list[list[float]] = []
        """By band, the negated score at each number of days: ascending, as bisections want it.

        From the last of them on it stays the same, for as long as anything was computed for.
        """
        self._days = 0
        self._reaches: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def know(self, days: int) -> None:
        """Compute the scores up to that many days, unless already computed."""
        if self.policy.frequency_bands > MOST_FREQUENCY_BANDS:
            self.is_steady = False
        elif days >= self._days:
            self._days = 2 * days + 1
            bands = range(1, self.policy.frequency_bands + 1)
            self.falling = [self._of_band(band) for band in bands]
            if all(len(band) < self._days for band in self.falling):
                self._days = _MOST_DAYS  # every band scores 0 by then, and always will
            self.is_steady = all(map(_is_ascending, self.falling))
            self._reaches.clear()

    def reaches(self, band: int, days: int) -> list[tuple[int, int]]:
        """Ages up to which each band ranks above a score: in any case, and if not older than it.

        The score is that of `band` after some days, as `fallen` counts them.
        """
        found = self._reaches.get((band, days))
        if found is None:
            found = self._reaches[band, days] = self.reaches_of(-self.falling[band][days])
        return found

    def fallen(self, band: int, days: int) -> int:
        """The smallest number of days after which the band scores the same as after `days`."""
        return min(days, len(self.falling[band]) - 1)

    def reaches_of(self, value: float) -> list[tuple[int, int]]:
        """`reaches` for any score."""
        return [
            (_reach(bisect_left(band, -value)), _reach_through(bisect_right(band, -value), band))
            for band in self.falling
        ]

    def _of_band(self, band: int) -> list[float]:
        touched = _touched(band, self.policy)
        values: list[float] = []
        for days in range(self._days):
            values.append(-score(touched, Instant(days * DAY), self.policy).value)
            if not values[-1]:
                break
        return values


def _reach(days: int) -> int:
    """The distance from now to the first key of less than some number of whole days."""
    return (days * DAY - 1) << SHIFT


def _reach_through(days: int, band: list[float]) -> int:
    """`_reach`, unlimited if the band has the score for ever."""
    return _reach(days if days < len(band) else _MOST_DAYS)


def _is_ascending(values: list[float]) -> bool:
    return all(one <= other for one, other in pairwise(values))


def _touched(count: int, policy: ScoringPolicy) -> Engagement:
    """An engagement with that many interactions that count, at instant 0."""
    row = EventRow(0, 0, "", int(policy.kinds[0]), 0, None, None, 0)
    return fold([row] * count)
