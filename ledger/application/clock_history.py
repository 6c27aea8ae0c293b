"""The instants in a ledger, against which a clock is checked."""

from ledger.instants import Instant
from ledger.store.clock_corrections import ahead_until, given_instants
from ledger.store.database import Database


class ClockHistory:
    """The instants that the clock has given to a ledger's events, job runs and barriers."""

    def __init__(self, database: Database) -> None:
        """Read from `database`, which must have the schema of this version."""
        self._database = database

    def latest(self) -> Instant:
        """The latest instant of an event, a job run or a barrier; 0 in an empty ledger."""
        with self._database.read() as connection:
            return ahead_until(connection)

    def of_events(self) -> list[Instant]:
        """The first and the last `recorded_at` of each day since the last correction.

        Of a segment only the first and last instant are considered.
        """
        with self._database.read() as connection:
            return given_instants(connection)
