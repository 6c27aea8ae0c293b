"""The events that a question includes: by T and K (R8), and by the keys of an issue."""

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Self, overload

import msgspec

from ledger.events import EventRow
from ledger.instants import Instant, instant_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Moment = dt.datetime | None
"""An aware moment, or None for the present."""


class AsOf(msgspec.Struct, frozen=True):
    """The two moments of a question: T (`at`) and K (`known_at`); None is unlimited."""

    at: Instant | None = None
    known_at: Instant | None = None

    @classmethod
    def of_moments(cls, at: Moment, known_at: Moment) -> Self:
        """The question of two aware moments."""
        return cls(
            None if at is None else instant_of(at),
            None if known_at is None else instant_of(known_at),
        )

    @property
    def is_present(self) -> bool:
        """Whether the question is about everything that is known."""
        return self.at is None and self.known_at is None

    def instant(self, now: Instant) -> Instant:
        """The instant at which scores are computed: T, or else K, or else the present."""
        if self.at is not None:
            return self.at
        return now if self.known_at is None else self.known_at

    @overload
    def sees(self, occurred_at: int, recorded_at: int) -> bool: ...

    @overload
    def sees(
        self, occurred_at: "NDArray[np.int64]", recorded_at: "NDArray[np.int64]"
    ) -> "bool | NDArray[np.bool_]": ...

    def sees(self, occurred_at: Any, recorded_at: Any) -> Any:
        """Whether an event had occurred by T and was recorded by K; True alone without bounds.

        Of columns of instants, of each event.
        """
        return (self.at is None or occurred_at <= self.at) & (
            self.known_at is None or recorded_at <= self.known_at
        )

    def of(self, rows: Iterable[EventRow]) -> list[EventRow]:
        """The `rows` that the question includes."""
        return [row for row in rows if self.sees(row.occurred_at, row.recorded_at)]


# The events of an issue, which may have had several keys one after the other.

ALWAYS, ENDLESS = -(2**63), 2**63 - 1
"""The start of the first span of a key, and the end of the last."""


class KeySpan(NamedTuple):
    """Interactions with `key` from `start` to just before `end` are with one issue."""

    key: str
    start: int = ALWAYS
    end: int = ENDLESS

    def covers(self, at: int) -> bool:
        """Whether an interaction at this instant belongs to the span."""
        return self.start <= at < self.end
