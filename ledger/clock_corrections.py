"""Corrections of a clock that ran ahead: which instants events count by afterwards (R8).

A correction holds the right time at its position. Every earlier event was recorded by then, so its
*effective* `recorded_at` is the least of its own and those of all later corrections. Effective
instants never decrease from one position to the next.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple, TypeVar

import msgspec

from ledger.events import AccountEvent, EventRow
from ledger.instants import DAY, Instant

E = TypeVar("E", bound=AccountEvent)
Placed = tuple[int, E]
"""An event at its position."""


class Correction(NamedTuple):
    """The position of a correction, and the right time when it was recorded."""

    position: int
    recorded_at: int


class Corrections:
    """All corrections of a ledger; falsy if there are none, so that nothing has to be mapped."""

    def __init__(self, found: Iterable[Correction] = ()) -> None:
        """Accept the corrections in any order."""
        in_order = sorted(found)
        self.positions = [each.position for each in in_order]
        """Where they are, in order."""
        latest_first = accumulate((each.recorded_at for each in reversed(in_order)), min)
        self.bounds = [*latest_first][::-1]
        """For each correction, the least instant of it and all later ones; these never decrease."""

    def __bool__(self) -> bool:
        """Whether there is any correction."""
        return bool(self.positions)

    def recorded_at(self, position: int, recorded_at: int) -> int:
        """Return the effective `recorded_at` of the event at a position."""
        following = bisect_right(self.positions, position)
        return min([recorded_at, *self.bounds[following : following + 1]])

    def instants(self, position: int, occurred_at: int, recorded_at: int) -> tuple[int, int]:
        """Return the effective `occurred_at` and `recorded_at` of an event.

        R1 refuses events more than a day ahead of their recording, so a later instant came from the
        wrong clock: such an event counts as having occurred when it was recorded.
        """
        recorded_at = self.recorded_at(position, recorded_at)
        return (recorded_at if occurred_at > recorded_at + DAY else occurred_at), recorded_at

    def of(self, rows: list[EventRow]) -> list[EventRow]:
        """Yield the rows with effective instants."""
        return [self._row(row) for row in rows] if self else rows

    def of_events(self, placed: Iterable[Placed[E]]) -> Iterable[Placed[E]]:
        """Yield events and positions with effective instants."""
        return map(self._event, placed) if self else placed

    def last_before(self, at: int) -> int:
        """Return the last position that a correction puts before an instant, or 0.

        For later events, their own `recorded_at` decides.
        """
        number = bisect_left(self.bounds, at)
        return self.positions[number - 1] - 1 if number else 0

    def _event(self, placed: Placed[E]) -> Placed[E]:
        position, event = placed
        occurred, recorded = self.instants(position, event.occurred_at, event.recorded_at)
        change = {"occurred_at": Instant(occurred), "recorded_at": Instant(recorded)}
        return position, msgspec.structs.replace(event, **change)

    def _row(self, row: EventRow) -> EventRow:
        occurred_at, recorded_at = self.instants(row.position, row.occurred_at, row.recorded_at)
        return row._replace(occurred_at=occurred_at, recorded_at=recorded_at)
