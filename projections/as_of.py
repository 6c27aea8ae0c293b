"""What was true at T, by what was known at K: which events an answer about the past sees (R8)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, overload

import msgspec

from ledger.events import EventRow
from ledger.instants import Instant
from projections.engagement import Engagement, fold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from projections.columnar import Integers


class AsOf(msgspec.Struct, frozen=True):
    """The two moments of a question; None stands for no bound.

    `at` bounds what had occurred, `known_at` what had been recorded.
    """

    at: Instant | None = None
    known_at: Instant | None = None

    @property
    def is_present(self) -> bool:
        """Return whether everything that is known is asked about."""
        return self.at is None and self.known_at is None

    def instant(self, now: Instant) -> Instant:
        """Return the moment at which scores are computed.

        By what was known at K, that is K itself, unless another moment is asked about.
        """
        if self.at is not None:
            return self.at
        return now if self.known_at is None else self.known_at

    @overload
    def sees(self, occurred_at: int, recorded_at: int) -> bool: ...

    @overload
    def sees(
        self, occurred_at: "Integers", recorded_at: "Integers"
    ) -> "bool | NDArray[np.bool_]": ...

    def sees(self, occurred_at: Any, recorded_at: Any) -> Any:
        """Tell whether an event had occurred by then and was known by then.

        Of columns of instants, of each event; but True alone where there is no bound.
        """
        return (self.at is None or occurred_at <= self.at) & (
            self.known_at is None or recorded_at <= self.known_at
        )

    def of(self, rows: Iterable[EventRow]) -> list[EventRow]:
        """Return those of `rows` that are seen."""
        return [row for row in rows if self.sees(row.occurred_at, row.recorded_at)]


def engagements_as_of(rows: Iterable[EventRow], as_of: AsOf) -> list[tuple[str, Engagement]]:
    """Return the engagements of one user with their issues, in no particular order."""
    return [pair for pair in folds_as_of(rows, as_of).items() if pair[1].count]


def folds_as_of(rows: Iterable[EventRow], as_of: AsOf) -> dict[str, Engagement]:
    """Return the folds by issue of some events of one user; there may be others, even the first."""
    groups: dict[str, list[EventRow]] = defaultdict(list)
    for row in as_of.of(rows):
        groups[row.issue_id].append(row)
    return {issue_id: fold(group) for issue_id, group in groups.items()}
