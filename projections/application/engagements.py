"""Engagements: one open ledger, for recording and for questions."""

import datetime as dt
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Self

from sqlalchemy import Connection

from ledger import store
from ledger.application import EngagementLedger
from ledger.as_of import AsOf
from ledger.clock import Clock, utc_now
from ledger.commands import Adoption, hiding_of, override_of
from ledger.events import EngagementHidden, EventRow
from ledger.instants import Instant, instant_of
from ledger.store.accounts import hidings_of_user
from ledger.store.append import Receipt
from ledger.store.collecting import without_collecting
from ledger.store.sqlite import PATIENCE_SECONDS
from ledger.validation import issue_id_of, user_id_of
from projections import read_model
from projections.engagement import NONE
from projections.explanation import Explanation, OrderExplanation, Sourced, explain, explain_order
from projections.policy import Adopted, ScoringPolicy, fields_of
from projections.ranking import Ranked, hidden_issues, listed, ranked, ranking
from projections.read_model import queries
from projections.read_model.model import ReadModel
from projections.read_model.queries import totals_of
from projections.statistics import MOST_ENGAGED_ISSUES, Statistics, statistics
from projections.timeline import ScoreSeries, score_series

Moment = dt.datetime | None


class Engagements:
    """One open ledger, for recording and for questions.

    Every question takes two aware moments. `at` limits it to events that had occurred by then,
    `known_at` to what the ledger knew then: the events recorded and the policy in force. Without
    `at` all known events are folded, and scored at `known_at`, or at the present. Invalid ids (R1)
    raise InvalidInteractionError, a ValueError.
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

    @cached_property
    def replays(self) -> "read_model.rebuild.Replays":
        """The read models beside the live one."""
        return read_model.rebuild.Replays(self.ledger.database, self.read_model)

    # --- questions -------------------------------------------------------------------------------

    def ask(
        self, user_id: str, issue_id: str, at: Moment = None, known_at: Moment = None
    ) -> Ranked:
        """The engagement of a user with an issue, and its score; NONE has the default score."""
        user, issue, as_of = user_id_of(user_id), issue_id_of(issue_id), _as_of(at, known_at)
        with self.ledger.database.read() as connection:
            policy = self._policy(connection, as_of)
            if as_of.is_present:
                engagement = queries.engagement_of(connection, user, issue)
            else:
                past = self._past(connection, user, as_of, issue)
                engagement = dict(past.all()).get(issue, NONE)
        return ranked(issue, engagement, self._instant(as_of), policy)

    def top(
        self, user_id: str, limit: int = 10, at: Moment = None, known_at: Moment = None
    ) -> list[Ranked]:
        """The user's first `limit` engagements of `ranking` that are not hidden."""
        if limit < 0:
            message = "limit must not be negative"
            raise ValueError(message)
        user, limit, as_of = user_id_of(user_id), min(limit, sys.maxsize), _as_of(at, known_at)
        instant = self._instant(as_of)
        with self.ledger.database.read() as connection:
            return self._top(connection, user, limit, as_of, instant)

    def ranking(self, user_id: str, at: Moment = None, known_at: Moment = None) -> list[Ranked]:
        """All of the user's engagements in their order (R5), including hidden ones."""
        user, as_of = user_id_of(user_id), _as_of(at, known_at)
        with self.ledger.database.read() as connection:
            return self._ranking(connection, user, as_of)

    def hidden(self, user_id: str, at: Moment = None, known_at: Moment = None) -> frozenset[str]:
        """The issues that the user has hidden, which `top` leaves out."""
        user, as_of = user_id_of(user_id), _as_of(at, known_at)
        with self.ledger.database.read() as connection:
            return self._hidden(connection, user, as_of)

    def hidings(self, user_id: str) -> list[EngagementHidden]:
        """The user's hidings and showings, in the order of recording."""
        with self.ledger.database.read() as connection:
            return [event for _, event in hidings_of_user(connection, user_id_of(user_id))]

    def statistics(self, user_id: str, at: Moment = None, known_at: Moment = None) -> Statistics:
        """The totals of the user's engagements; hidden ones count, but are not named."""
        user, as_of = user_id_of(user_id), _as_of(at, known_at)
        instant = self._instant(as_of)
        with self.ledger.database.read() as connection:
            first = self._top(connection, user, MOST_ENGAGED_ISSUES, as_of, instant)
            if as_of.is_present:
                return statistics(totals_of(connection, user), first)
            return statistics(self._past(connection, user, as_of).totals(), first)

    def history(
        self,
        user_id: str,
        issue_id: str | None = None,
        at: Moment = None,
        known_at: Moment = None,
    ) -> Iterator["store.event_queries.HistoryEntry"]:
        """Yield the user's events, of one issue or of all, the earliest first."""
        return self._history(_history_query(user_id, issue_id, at, known_at))

    def page(  # noqa: PLR0913 - whose history, as of when, and which end of it
        self,
        user_id: str,
        issue_id: str | None = None,
        at: Moment = None,
        known_at: Moment = None,
        *,
        limit: int,
        latest: bool,
    ) -> "store.user_history.Page":
        """The first `limit` entries of `history`, or the last ones, the latest first."""
        query = _history_query(user_id, issue_id, at, known_at)
        with self.ledger.database.read() as connection:
            return store.user_history.page_of_history(
                connection, self.ledger.archive, query, limit, latest=latest
            )

    @without_collecting()
    def explain(
        self, user_id: str, issue_id: str, at: Moment = None, known_at: Moment = None
    ) -> Explanation:
        """The answer of `ask`, with everything that the score is computed from."""
        user, issue, as_of = user_id_of(user_id), issue_id_of(issue_id), _as_of(at, known_at)
        instant = self._instant(as_of)
        with self.ledger.database.read() as connection:
            adopted = self._adopted(connection, as_of)
            events = [
                Sourced(*each)
                for each in store.event_queries.sourced_rows_of_issue(
                    connection, self.ledger.archive, user, issue
                )
            ]
        return explain(events, issue, as_of, instant, adopted)

    def explain_order(
        self, user_id: str, at: Moment = None, known_at: Moment = None
    ) -> OrderExplanation | None:
        """The reason why the first of `top` ranks above the second; None if there are fewer."""
        user, as_of = user_id_of(user_id), _as_of(at, known_at)
        instant = self._instant(as_of)
        with self.ledger.database.read() as connection:
            adopted = self._adopted(connection, as_of)
            match self._top(connection, user, 2, as_of, instant):
                case [first, second]:
                    return explain_order(first, second, instant, adopted)
        return None

    @without_collecting()
    def series(
        self,
        user_id: str,
        issue_id: str,
        start: dt.datetime,
        end: dt.datetime,
        known_at: Moment = None,
    ) -> ScoreSeries:
        """The score of the user's engagement from `start` to `end`, as a series."""
        issue = issue_id_of(issue_id)
        rows, policy = self.known(user_id, issue, known_at)
        return score_series(issue, rows, instant_of(start), instant_of(end), policy)

    def known(
        self, user_id: str, issue_id: str | None = None, known_at: Moment = None
    ) -> tuple[list[EventRow], ScoringPolicy]:
        """The rows for folds of the user's events, of one issue or all, and the policy.

        Both are as known at a moment.
        """
        user, as_of = user_id_of(user_id), _as_of(None, known_at)
        issue = None if issue_id is None else issue_id_of(issue_id)
        with self.ledger.database.read() as connection:
            everything = store.event_queries.rows_of_user(
                connection, self.ledger.archive, user, issue
            )
            rows = as_of.of(everything)
            return rows, self._policy(connection, as_of)

    def size(self) -> int:
        """The number of engagements of all users."""
        with self.ledger.database.read() as connection:
            return queries.size(connection)

    def count_dormant(self) -> int:
        """The number of engagements, of all users, that are dormant now."""
        with self.ledger.database.read() as connection:
            policy = self.read_model.policies.in_force(connection).policy
            return queries.dormant_count(connection, self._now(), policy)

    # --- policies --------------------------------------------------------------------------------

    @property
    def policy(self) -> ScoringPolicy:
        """The policy in force."""
        return self.policy_known_at(None).policy

    def policy_known_at(self, known_at: Moment) -> Adopted:
        """The policy that was in force at a moment, or is now, with its version."""
        with self.ledger.database.read() as connection:
            return self._adopted(connection, _as_of(None, known_at))

    def policies(self) -> list[Adopted]:
        """All policies that were ever in force, the oldest first."""
        with self.ledger.database.read() as connection:
            return self.read_model.policies.history(connection)

    def adopt(self, policy: ScoringPolicy, replaces: int) -> Receipt:
        """Compute scores by `policy` from now on (R14).

        Raises PolicyConflictError if the version that it `replaces` is no longer in force.
        """
        return self.ledger.adopt(Adoption(fields_of(policy), replaces))

    def try_policy(
        self,
        policy: ScoringPolicy,
        at: Moment,
        zone: dt.tzinfo,
        progress: "read_model.past_queries.Progress",
    ) -> "read_model.past_queries.PolicyTrial":
        """Compare `policy` with the one in force, and return what would change; nothing is written.

        Only events that had occurred by `at` are used. Weeks begin on Monday in `zone`.
        """
        from projections.evaluation import Judge  # noqa: PLC0415 - no question needs it

        as_of = _as_of(at, None)
        with self.ledger.database.read() as connection:
            in_force = self._policy(connection, as_of)
            policies, judge = (in_force, policy), Judge(dict.fromkeys((in_force, policy)), zone)
            moment = (as_of, self._instant(as_of))
            everybody = store.event_queries.rows_by_user(connection, self.ledger.archive)
            return read_model.past_queries.tried(everybody, policies, moment, judge, progress)

    # --- changes ---------------------------------------------------------------------------------

    def override(self, user_id: str, issue_id: str, value: float) -> Receipt:
        """Set the base of an engagement's score from now on, until a later interaction (R6)."""
        return self.ledger.override(override_of(user_id, issue_id, value, occurred_at=self.clock()))

    def hide(self, user_id: str, issue_id: str, *, hidden: bool = True) -> Receipt | None:
        """Leave an issue out of the user's lists from now on, or show it there again.

        Returns None if that is the case already: then no event is added. Scores, totals and the
        history do not change. Raises UnknownEngagementError if the user never touched the issue,
        and OptedOutError.
        """
        hiding = hiding_of(user_id, issue_id, hidden=hidden, occurred_at=self.clock())
        user, issue = hiding.user_id, hiding.issue_id
        with self.ledger.database.read() as connection:
            is_touched = queries.engagement_of(connection, user, issue) != NONE
            if is_touched and (issue in self._hidden(connection, user, AsOf())) == hidden:
                return None
        return self.ledger.record(hiding)

    def erase(self, user_id: str) -> Instant:
        """Forget the user: earlier events belong to no one, and are not recorded again.

        Returns the instant. Raises TracesLeftError if copies may be left in files; calling it again
        removes them.
        """
        at = self._now()
        self.ledger.erase(user_id_of(user_id), at)
        return at

    def refresh_scores(self, idle_longer_than_days: int, user_id: str | None = None) -> int:
        """Bring the read model's score column up to date, for one user or for all.

        Returns the number of those engagements that have been idle for more than the given days.
        """
        return self.read_model.refresh(
            self.ledger.database,
            self._now(),
            idle_longer_than_days,
            None if user_id is None else user_id_of(user_id),
        )

    def replay(
        self, *, repair: bool, progress: "read_model.replay.Progress", afresh: bool = False
    ) -> "read_model.replay.Replay":
        """Fold every event again; compare with the read model, or rebuild it.

        A comparison resumes one that was killed, unless `afresh`.
        """
        database = self.ledger.database
        if repair:
            return read_model.replay.repair(database, self.read_model, progress)
        return read_model.replay.compare(database, self.read_model, progress, afresh=afresh)

    def verify(
        self, progress: "read_model.compare.Progress" = lambda _: None
    ) -> "read_model.compare.Verification":
        """Verify every row, index, segment and engagement, and return the findings.

        Raises LedgerUnavailableError for a ledger that is not a file. Nothing is written.
        """
        return read_model.compare.verify(self.ledger.database, progress)

    def close(self) -> None:
        """Finish what was submitted and close the ledger."""
        self.ledger.close()

    def __enter__(self) -> Self:
        """Return self, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ledger."""
        self.close()

    def _top(
        self, connection: Connection, user: str, limit: int, as_of: AsOf, instant: Instant
    ) -> list[Ranked]:
        policy, hidden = self._policy(connection, as_of), self._hidden(connection, user, as_of)
        enough = min(limit + len(hidden), sys.maxsize)
        if as_of.is_present:
            found = queries.top_of(connection, user, enough, instant, policy)
        else:
            found = self._past(connection, user, as_of).top(enough, instant, policy)
        return listed(found, hidden, limit)

    def _ranking(self, connection: Connection, user: str, as_of: AsOf) -> list[Ranked]:
        policy = self._policy(connection, as_of)
        if as_of.is_present:
            engagements = queries.engagements_of(connection, user)
        else:
            engagements = self._past(connection, user, as_of).all()
        return ranking(engagements, self._instant(as_of), policy)

    def _hidden(self, connection: Connection, user: str, as_of: AsOf) -> frozenset[str]:
        return hidden_issues((event for _, event in hidings_of_user(connection, user)), as_of)

    def _history(
        self, query: "store.user_history.HistoryQuery"
    ) -> Iterator["store.event_queries.HistoryEntry"]:
        with self.ledger.database.read() as connection:
            yield from store.user_history.history_of_user(connection, self.ledger.archive, query)

    def _past(
        self, connection: Connection, user: str, as_of: AsOf, issue: str | None = None
    ) -> "read_model.past_queries.PastEngagements":
        return read_model.past_queries.PastEngagements(
            connection, self.ledger.archive, user, as_of, issue
        )

    def _adopted(self, connection: Connection, as_of: AsOf) -> Adopted:
        return self.read_model.policies.known_at(connection, as_of.known_at)

    def _policy(self, connection: Connection, as_of: AsOf) -> ScoringPolicy:
        return self._adopted(connection, as_of).policy

    def _instant(self, as_of: AsOf) -> Instant:
        return as_of.instant(self._now())

    def _now(self) -> Instant:
        return instant_of(self.clock())


def _as_of(at: Moment, known_at: Moment) -> AsOf:
    return AsOf(
        None if at is None else instant_of(at), None if known_at is None else instant_of(known_at)
    )


def _history_query(
    user_id: str, issue_id: str | None, at: Moment, known_at: Moment
) -> "store.user_history.HistoryQuery":
    issue = None if issue_id is None else issue_id_of(issue_id)
    return store.user_history.HistoryQuery(user_id_of(user_id), issue, _as_of(at, known_at))
