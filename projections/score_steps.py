"""A policy's scores as steps: how far back each band scores more than a given score."""

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

    They are computed as far as they are needed, and shared by all users.
    """

    def __init__(self, policy: ScoringPolicy) -> None:
        """Know no score yet."""
        self.policy = policy
        self.pin = math.ceil(policy.pin_hours * _HOUR) << SHIFT
        self.is_steady = True
        """Whether bands do for this policy: they are few, and no score rises with the days."""
        self.falling: list[list[float]] = []
        """By band, the negated score at each number of days: ascending, as bisections want it.

        From the last of them on it stays the same, for as long as anything was computed for.
        """
        self._days = 0
        self._reaches: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def know(self, days: int) -> None:
        """Compute the scores up to that many days, unless they are known."""
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
        """Return how far back each band stands before a score: surely, and if no earlier than it.

        The score is the one of `band` after so many days, as `fallen` counts them.
        """
        found = self._reaches.get((band, days))
        if found is None:
            found = self._reaches[band, days] = self.reaches_of(-self.falling[band][days])
        return found

    def fallen(self, band: int, days: int) -> int:
        """Return `days`, or the first number of days after which the band scores the same."""
        return min(days, len(self.falling[band]) - 1)

    def reaches_of(self, value: float) -> list[tuple[int, int]]:
        """Return the same for any score."""
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
    """Return how far before now the first key of less than so many whole days lies."""
    return (days * DAY - 1) << SHIFT


def _reach_through(days: int, band: list[float]) -> int:
    """Return the same, without an end where the band scores so for ever."""
    return _reach(days if days < len(band) else _MOST_DAYS)


def _is_ascending(values: list[float]) -> bool:
    return all(one <= other for one, other in pairwise(values))


def _touched(count: int, policy: ScoringPolicy) -> Engagement:
    """Return an engagement with that many interactions that count, at the beginning of time."""
    row = EventRow(0, 0, "", int(policy.kinds[0]), 0, None, None, 0)
    return fold([row] * count)
