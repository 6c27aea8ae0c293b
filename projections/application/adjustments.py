"""Adjustments that users make themselves: the base of a score, and issues hidden from lists."""

from ledger.application import EngagementLedger
from ledger.as_of import AsOf
from ledger.clock import Clock
from ledger.commands import hiding_of, override_of
from ledger.store.append import Receipt
from projections.application.questions import hidden_of
from projections.engagement import NONE
from projections.read_model.moved_issues import MovedIssues
from projections.read_model.present_queries import PresentEngagements


class Adjustments:
    """Records what users change about the scores and lists of one ledger."""

    def __init__(self, ledger: EngagementLedger, moved: MovedIssues, clock: Clock) -> None:
        """Record in `ledger`, whose issues moved as `moved` says, at the instants of `clock`."""
        self._ledger, self._moved, self._clock = ledger, moved, clock

    def override(self, user_id: str, issue_id: str, value: float) -> Receipt:
        """Set the base of an engagement's score from now on, until a later interaction (R6).

        Raises UnknownEngagementError if the user never touched the issue.
        """
        now = self._clock()
        return self._ledger.record(override_of(user_id, issue_id, value, occurred_at=now))

    def hide(self, user_id: str, issue_id: str, *, hidden: bool = True) -> Receipt | None:
        """Leave an issue out of the user's lists from now on, or show it there again.

        Returns None if that is the case already: then no event is added. Scores, totals and the
        history do not change. Raises UnknownEngagementError if the user never touched the issue,
        and OptedOutError.
        """
        hiding = hiding_of(user_id, issue_id, hidden=hidden, occurred_at=self._clock())
        user, issue = hiding.user_id, hiding.issue_id
        with self._ledger.database.read() as connection:
            theirs = PresentEngagements(connection, self._ledger.database, user, self._moved)
            found = hidden_of(connection, user, AsOf(), theirs.names)
            if theirs.one(issue) != NONE and (theirs.names.name(issue) in found) == hidden:
                return None
        return self._ledger.record(hiding)
