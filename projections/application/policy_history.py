"""The policies of a ledger: those adopted, the adoption of another one, and trials of one."""

import datetime as dt
from typing import TYPE_CHECKING

from ledger import store
from ledger.application import EngagementLedger
from ledger.as_of import AsOf, Moment
from ledger.clock import Clock
from ledger.commands import Adoption
from ledger.instants import instant_of
from ledger.store.append import Receipt
from projections import read_model
from projections.policy import Adopted, ScoringPolicy, fields_of
from projections.read_model.model import ReadModel

if TYPE_CHECKING:
    from projections.read_model.past_queries import PolicyTrial, Progress


class PolicyHistory:
    """The policies of one ledger, which are part of its history (R14)."""

    def __init__(self, ledger: EngagementLedger, model: ReadModel, clock: Clock) -> None:
        """Read and adopt the policies of `ledger`, whose read model is `model`."""
        self._ledger, self._policies, self._clock = ledger, model.policies, clock
        self._moved = model.moved

    @property
    def in_force(self) -> ScoringPolicy:
        """The policy that is in force now."""
        return self.known_at(None).policy

    def known_at(self, known_at: Moment) -> Adopted:
        """The policy that was in force at a moment, or is now, with its version."""
        with self._ledger.database.read() as connection:
            return self._policies.known_at(connection, AsOf.of_moments(None, known_at).known_at)

    def all(self) -> list[Adopted]:
        """All policies that were ever in force, the oldest first."""
        with self._ledger.database.read() as connection:
            return self._policies.history(connection)

    def adopt(self, policy: ScoringPolicy, replaces: int) -> Receipt:
        """Compute scores by `policy` from now on (R14).

        Raises PolicyConflictError if the version that it `replaces` is no longer in force.
        """
        return self._ledger.record(Adoption(fields_of(policy), replaces))

    def try_out(
        self,
        policy: ScoringPolicy,
        at: Moment,
        zone: dt.tzinfo,
        progress: "Progress",
    ) -> "PolicyTrial":
        """Compare `policy` with the one in force, and return what would change; nothing is written.

        Only events that had occurred by `at` are used. Weeks begin on Monday in `zone`.
        """
        from projections.evaluation import Judge  # noqa: PLC0415 - no question needs it

        as_of = AsOf.of_moments(at, None)
        with self._ledger.database.read() as connection:
            in_force = self._policies.known_at(connection, None).policy
            policies, judge = (in_force, policy), Judge(dict.fromkeys((in_force, policy)), zone)
            moment = (as_of, as_of.instant(instant_of(self._clock())))
            issue_names = self._moved.names(connection, self._ledger.database)
            everybody = (
                each._replace(rows=issue_names.renamed(each.rows))
                for each in store.event_queries.rows_by_user(connection, self._ledger.archive)
            )
            return read_model.past_queries.tried(everybody, policies, moment, judge, progress)
