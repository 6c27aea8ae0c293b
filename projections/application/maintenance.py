"""Maintenance of what is derived from a ledger's events, and verification of all of it."""

from functools import cached_property

from ledger.application import EngagementLedger
from ledger.clock import Clock
from ledger.instants import Instant, instant_of
from ledger.validation import user_id_of
from projections import read_model
from projections.engagement import Engagement, of_kinds
from projections.read_model import queries
from projections.read_model.model import ReadModel
from projections.read_model.present_queries import surplus_of_moved
from projections.scoring import idle_days, score


class Maintenance:
    """Compares, rebuilds and verifies what is stored of one ledger's engagements."""

    def __init__(self, ledger: EngagementLedger, model: ReadModel, clock: Clock) -> None:
        """Maintain the read model of `ledger`."""
        self._ledger, self._model, self._clock = ledger, model, clock

    @cached_property
    def replays(self) -> "read_model.rebuild.Replays":
        """The read models beside the live one."""
        return read_model.rebuild.Replays(self._ledger.database, self._model)

    def refresh_scores(self, idle_longer_than_days: int, user_id: str | None = None) -> int:
        """Bring the read model's score column up to date, for one user or for all.

        Returns the number of those engagements that have been idle for more than the given days.
        """
        database, at = self._ledger.database, self._now()
        user = None if user_id is None else user_id_of(user_id)
        idle = self._model.refresh(database, at, idle_longer_than_days, user)
        with database.read() as connection:
            kinds = self._model.policies.in_force(connection).policy.kinds

            def is_idle(engagement: Engagement) -> bool:
                return idle_days(of_kinds(engagement, kinds), at) > idle_longer_than_days

            return idle - surplus_of_moved(connection, database, self._model.moved, is_idle, user)

    def replay(
        self, *, repair: bool, progress: "read_model.replay.Progress", afresh: bool = False
    ) -> "read_model.replay.Replay":
        """Fold every event again; compare with the read model, or rebuild it.

        A comparison resumes one that was killed, unless `afresh`.
        """
        database = self._ledger.database
        if repair:
            return read_model.replay.repair(database, self._model, progress)
        return read_model.replay.compare(database, self._model, progress, afresh=afresh)

    def count_to_replay(self, *, repair: bool) -> int:
        """The number of events that `replay` folds."""
        return read_model.replay.count_events(self._ledger.database, repair=repair)

    def sealed_difference_by_duckdb(self) -> str | None:
        """A sentence on how a fold of all segments by DuckDB differs from what is stored, or None.

        Raises ImportError without DuckDB.
        """
        return read_model.duckdb_check.difference(self._ledger.database)

    def verify(
        self, progress: "read_model.compare.Progress" = lambda _: None
    ) -> "read_model.compare.Verification":
        """Verify every row, index, segment and engagement, and return the findings.

        Raises LedgerUnavailableError for a ledger that is not a file. Nothing is written.
        """
        return read_model.compare.verify(self._ledger.database, progress)

    def count(self) -> int:
        """The number of engagements of all users, by the keys of issues as written."""
        with self._ledger.database.read() as connection:
            return queries.size(connection)

    def count_dormant(self) -> int:
        """The number of engagements, of all users, that are dormant now."""
        with self._ledger.database.read() as connection:
            policy, at = self._model.policies.in_force(connection).policy, self._now()

            def is_dormant(engagement: Engagement) -> bool:
                return score(engagement, at, policy).dormant

            database, moved = self._ledger.database, self._model.moved
            dormant = queries.dormant_count(connection, at, policy)
            return dormant - surplus_of_moved(connection, database, moved, is_dormant)

    def _now(self) -> Instant:
        return instant_of(self._clock())
