"""Engagements: one open ledger, and an object for each purpose that it serves."""

from functools import cached_property
from typing import Self

from ledger.application import EngagementLedger
from ledger.clock import Clock, utc_now
from ledger.store.sqlite import PATIENCE_SECONDS
from projections import application
from projections.read_model.model import ReadModel


class Engagements:
    """One open ledger, and the objects that ask, adjust and maintain it.

    Interactions are recorded in `ledger`, and users erased there.
    """

    def __init__(
        self, url: str, *, clock: Clock = utc_now, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Open the ledger at the SQLAlchemy `url`; a missing one is created.

        Raises LedgerUnavailableError if that is not possible. Methods that write raise it, too, if
        they wait for another process for more than `patience_seconds`.
        """
        self.clock = clock
        self.read_model = ReadModel()
        self.ledger = EngagementLedger(
            url, projection=self.read_model, clock=clock, patience_seconds=patience_seconds
        )

    # Each is imported on first use: recording needs none of them.

    @cached_property
    def questions(self) -> "application.Questions":
        """Answers about the present and the past."""
        return application.Questions(self.ledger, self.read_model, self.clock)

    @cached_property
    def issues(self) -> "application.Issues":
        """Questions about Linear's issues."""
        return application.Issues(self.ledger.database, self.read_model.moved)

    @cached_property
    def adjustments(self) -> "application.Adjustments":
        """Changes that users make: the base of a score, and issues hidden from lists."""
        return application.Adjustments(self.ledger, self.read_model.moved, self.clock)

    @cached_property
    def policies(self) -> "application.PolicyHistory":
        """The policies of the ledger, and the adoption of another one."""
        return application.PolicyHistory(self.ledger, self.read_model, self.clock)

    @cached_property
    def maintenance(self) -> "application.Maintenance":
        """Replays, refreshing of scores, and verification."""
        return application.Maintenance(self.ledger, self.read_model, self.clock)

    def close(self) -> None:
        """Finish what was submitted and close the ledger."""
        self.ledger.close()

    def __enter__(self) -> Self:
        """Return self, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ledger."""
        self.close()
