"""The rank of an issue event by event, without ranking every time."""

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from itertools import pairwise
from typing import Protocol

import msgspec

from ledger.commands import Kind
from ledger.instants import DAY, Instant
from projections.engagement import NONE, Engagement, merge, touches
from projections.policy import MOST_FREQUENCY_BANDS, ScoringPolicy
from projections.ranking import ranking
from projections.scoring import score

# A policy's scores as steps: the age up to which each band scores more than a given score.

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
        touched = touches(self.policy.kinds[0], band, at=0)
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


# Within a band later means higher at every moment (R5), and a band's score is a step function of
# whole idle days that never rises. So the issues of a band that rank above an issue are all those
# from some instant on, which one bisection counts.

_ISSUES = (1 << SHIFT) - 1
_TOUCHED = touches(Kind.MENTION, 1, at=0)


class Standings(Protocol):
    """One user's issues by number; events must be added in the order in which they occurred.

    Numbers descend as issues ascend: of two that are otherwise equal, the higher number ranks
    above.
    """

    def touch(self, issue: int, kind: int, at: int) -> None:
        """Add an interaction."""

    def override(self, issue: int, at: int, value: float) -> None:
        """Add an override."""

    def rank(self, issue: int, at: int) -> int:
        """The rank of an issue that was touched, from 1.

        The instant must not be earlier than any event.
        """


def numbered(issues: set[str]) -> dict[str, int]:
    """Number the issues of one user."""
    return {issue: number for number, issue in enumerate(sorted(issues, reverse=True))}


class RecentFirst:
    """Standings by the last touch of any kind, ignoring overrides."""

    def __init__(self, issues: Mapping[str, int]) -> None:
        """Start without any event."""
        self._keys: list[int] = []
        self._key_of = [0] * len(issues)

    def touch(self, issue: int, kind: int, at: int) -> None:
        """Add an interaction."""
        del kind
        if key := self._key_of[issue]:
            del self._keys[bisect_left(self._keys, key)]
        self._key_of[issue] = key = (at << SHIFT) + issue
        _insert(self._keys, key)

    def override(self, issue: int, at: int, value: float) -> None:
        """Change nothing."""

    def rank(self, issue: int, at: int) -> int:
        """The rank among all issues that were touched."""
        del at
        return len(self._keys) - bisect_left(self._keys, self._key_of[issue])


class BandStandings:
    """Standings by a policy of few bands, with its scores for all ages that occur in `steps`."""

    def __init__(self, issues: Mapping[str, int], steps: Steps) -> None:
        """Start without any event."""
        self._steps = steps
        self._kinds = frozenset(map(int, steps.policy.kinds))
        self._bands: list[list[int]] = [[] for _ in steps.falling]
        self._last_band = len(self._bands) - 1
        self._key_of = [0] * len(issues)
        self._counts = [0] * len(issues)
        self._touched = bytearray(len(issues))
        self._uncounted: list[int] = []
        self._overrides: dict[int, tuple[int, float]] = {}

    def touch(self, issue: int, kind: int, at: int) -> None:
        """Add an interaction."""
        if kind not in self._kinds:
            self._touch_uncounted(issue)
            return
        self._take_from_uncounted(issue)
        self._touched[issue] = 1
        count = self._counts[issue]
        self._counts[issue] = count + 1
        if self._overrides and issue in self._overrides:
            if self._overrides[issue][0] == at:  # at the same instant the override wins (R6)
                return
            del self._overrides[issue]
        if key := self._key_of[issue]:
            self._remove(key, count)
        self._key_of[issue] = key = (at << SHIFT) + issue
        _insert(self._bands[min(count, self._last_band)], key)

    def override(self, issue: int, at: int, value: float) -> None:
        """Add an override."""
        self._take_from_uncounted(issue)
        if key := self._key_of[issue]:
            self._remove(key, self._counts[issue])
            self._key_of[issue] = 0
        self._overrides[issue] = max(self._overrides.get(issue, (at, value)), (at, value))

    def rank(self, issue: int, at: int) -> int:
        """The rank in the policy's ranking."""
        if self._overrides and issue in self._overrides:
            return self._rank_overridden(issue, at)
        key = self._key_of[issue]
        if not key:
            return self._rank_uncounted(issue)
        band = min(self._counts[issue] - 1, self._last_band)
        days = self._steps.fallen(band, (at - (key >> SHIFT)) // DAY)
        falling = self._steps.falling[band]
        if key > (at << SHIFT) + _ISSUES - self._steps.pin:
            return 1 + self._before_pinned(key, at, falling[days])
        before = self._before(key, at, self._steps.reaches(band, days))
        if self._overrides:
            before += self._overridden_before((-falling[days], key), at)
        return 1 + before

    def _touch_uncounted(self, issue: int) -> None:
        if not (self._touched[issue] or issue in self._overrides):
            insort(self._uncounted, issue)
        self._touched[issue] = 1

    def _take_from_uncounted(self, issue: int) -> None:
        if self._uncounted and self._is_uncounted(issue):
            del self._uncounted[bisect_left(self._uncounted, issue)]

    def _is_uncounted(self, issue: int) -> bool:
        is_known = self._key_of[issue] or issue in self._overrides
        return bool(self._touched[issue]) and not is_known

    def _rank_uncounted(self, issue: int) -> int:
        before = sum(map(len, self._bands)) + sum(self._touched[each] for each in self._overrides)
        return before + len(self._uncounted) - bisect_left(self._uncounted, issue)

    def _remove(self, key: int, count: int) -> None:
        keys = self._bands[min(count - 1, self._last_band)]
        del keys[bisect_left(keys, key)]

    def _before(self, key: int, at: int, reaches: list[tuple[int, int]]) -> int:
        now = at << SHIFT
        before = 0
        for keys, (surely, perhaps) in zip(self._bands, reaches, strict=True):
            if keys:
                start = now - surely
                if surely != perhaps:
                    start = min(start, max(now - perhaps, key + 1))
                before += len(keys) - bisect_left(keys, start)
        return before + (self._pinned_beside(key, at, reaches) if self._steps.pin else 0)

    def _pinned_beside(self, key: int, at: int, reaches: list[tuple[int, int]]) -> int:
        """Count pinned issues that would rank below an unpinned one by their scores alone."""
        now = at << SHIFT
        pinned = now + (1 << SHIFT) - self._steps.pin
        beside = 0
        for keys, (surely, perhaps) in zip(self._bands, reaches, strict=True):
            start = min(now - surely, max(now - perhaps, key + 1))
            beside += max(0, bisect_left(keys, start) - bisect_left(keys, pinned))
        return beside

    def _before_pinned(self, key: int, at: int, falling: float) -> int:
        """Count the issues pinned later, and the better ones pinned at the same instant."""
        instant = key >> SHIFT
        days = (at - instant) // DAY
        before = 0
        for band, keys in enumerate(self._bands):
            beside = self._steps.falling[band][self._steps.fallen(band, days)]
            start = key + 1 if beside == falling else instant << SHIFT
            if beside > falling:
                start = (instant + 1) << SHIFT
            before += len(keys) - bisect_left(keys, start)
        return before

    def _rank_overridden(self, issue: int, at: int) -> int:
        value, key = self._overridden(issue, at)
        before = self._before(key, at, self._steps.reaches_of(value))
        return 1 + before + self._overridden_before((value, key), at)

    def _overridden_before(self, place: tuple[float, int], at: int) -> int:
        others = (self._overridden(issue, at) for issue in self._overrides if self._touched[issue])
        return sum(other > place for other in others)

    def _overridden(self, issue: int, at: int) -> tuple[float, int]:
        instant, value = self._overrides[issue]
        engagement = msgspec.structs.replace(_TOUCHED, override_at=instant, override=value)
        value = score(engagement, Instant(at), self._steps.policy).value
        return value, (instant << SHIFT) + issue


class PlainStandings:
    """Standings by any policy, which rank everything again for each question."""

    def __init__(self, issues: Mapping[str, int], policy: ScoringPolicy) -> None:
        """Start without any event."""
        self._policy = policy
        self._names = list(issues)
        self._engagements: dict[int, Engagement] = {}

    def touch(self, issue: int, kind: int, at: int) -> None:
        """Add an interaction."""
        self._add(issue, touches(Kind(kind), 1, at))

    def override(self, issue: int, at: int, value: float) -> None:
        """Add an override."""
        self._add(issue, Engagement(override_at=at, override=value))

    def _add(self, issue: int, more: Engagement) -> None:
        self._engagements[issue] = merge(self._engagements.get(issue, NONE), more)

    def rank(self, issue: int, at: int) -> int:
        """The rank in the policy's ranking."""
        known = [(self._names[one], each) for one, each in self._engagements.items() if each.count]
        names = [each.issue_id for each in ranking(known, Instant(at), self._policy)]
        return names.index(self._names[issue]) + 1


def standings(issues: Mapping[str, int], steps: Steps, days: int) -> Standings:
    """Create standings by the policy of `steps` for a history of some days."""
    steps.know(days)
    if steps.is_steady:
        return BandStandings(issues, steps)
    return PlainStandings(issues, steps.policy)


def _insert(keys: list[int], key: int) -> None:
    if not keys or keys[-1] < key:
        keys.append(key)
    else:
        insort(keys, key)
