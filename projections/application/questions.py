"""Questions: engagements, rankings, totals, histories and explanations, at any moment."""

import datetime as dt
import sys
from collections.abc import Iterator

from sqlalchemy import Connection

from ledger import store
from ledger.application import EngagementLedger
from ledger.as_of import AsOf, Moment
from ledger.clock import Clock
from ledger.events import EngagementHidden, EventRow, InteractionRecorded
from ledger.instants import Instant, instant_of
from ledger.store.accounts import hidings_of_user
from ledger.store.collecting import without_collecting
from ledger.validation import issue_id_of, user_id_of
from projections import read_model
from projections.explanation import Explanation, OrderExplanation, Sourced, explain, explain_order
from projections.issue_names import Names
from projections.policy import Adopted, ScoringPolicy
from projections.ranking import Ranked, hidden_issues, listed, ranked, ranking
from projections.read_model.linear_ids import LinearIds
from projections.read_model.model import ReadModel
from projections.read_model.present_queries import PresentEngagements, rows_of_spans
from projections.statistics import MOST_ENGAGED_ISSUES, Statistics, statistics
from projections.timeline import ScoreSeries, score_series


class Questions:
    """Answers questions about the users of one ledger.

    An issue can be given by any key that it has or had; answers have its present one, as known.
    Every question takes two aware moments. `at` limits it to events that had occurred by then,
    `known_at` to what the ledger knew then: the events recorded and the policy in force. Without
    `at` all known events are folded, and scored at `known_at`, or at the present. Invalid ids (R1)
    raise InvalidInteractionError, a ValueError.
    """

    def __init__(self, ledger: EngagementLedger, model: ReadModel, clock: Clock) -> None:
        """Answer from the events of `ledger`, whose read model is `model`."""
        self._ledger, self._policies, self._clock = ledger, model.policies, clock
        self._moved = model.moved

    def ask(
        self, user_id: str, issue_id: str, at: Moment = None, known_at: Moment = None
    ) -> Ranked:
        """The engagement of a user with an issue, and its score; NONE has the default score."""
        user, issue, as_of = (
            user_id_of(user_id),
            issue_id_of(issue_id),
            AsOf.of_moments(at, known_at),
        )
        with self._ledger.database.read() as connection:
            policy = self._policy(connection, as_of)
            theirs = self._engagements(connection, user, as_of)
            name, engagement = theirs.names.name(issue), theirs.one(issue)
        return ranked(name, engagement, self._instant(as_of), policy)

    def top(
        self, user_id: str, limit: int = 10, at: Moment = None, known_at: Moment = None
    ) -> list[Ranked]:
        """The user's first `limit` engagements of `ranking` that are not hidden."""
        if limit < 0:
            message = "limit must not be negative"
            raise ValueError(message)
        user, limit, as_of = (
            user_id_of(user_id),
            min(limit, sys.maxsize),
            AsOf.of_moments(at, known_at),
        )
        instant = self._instant(as_of)
        with self._ledger.database.read() as connection:
            return self._top(connection, user, limit, as_of, instant)

    def ranking(self, user_id: str, at: Moment = None, known_at: Moment = None) -> list[Ranked]:
        """All of the user's engagements in their order (R5), including hidden ones."""
        user, as_of = user_id_of(user_id), AsOf.of_moments(at, known_at)
        with self._ledger.database.read() as connection:
            policy = self._policy(connection, as_of)
            engagements = self._engagements(connection, user, as_of).all()
        return ranking(engagements, self._instant(as_of), policy)

    def hidden(self, user_id: str, at: Moment = None, known_at: Moment = None) -> frozenset[str]:
        """The issues that the user has hidden, which `top` leaves out."""
        user, as_of = user_id_of(user_id), AsOf.of_moments(at, known_at)
        with self._ledger.database.read() as connection:
            return hidden_of(connection, user, as_of, self._names(connection, as_of))

    def hidings(self, user_id: str) -> list[EngagementHidden]:
        """The user's hidings and showings, in the order of recording."""
        with self._ledger.database.read() as connection:
            return [event for _, event in hidings_of_user(connection, user_id_of(user_id))]

    def statistics(self, user_id: str, at: Moment = None, known_at: Moment = None) -> Statistics:
        """The totals of the user's engagements; hidden ones count, but are not named."""
        user, as_of = user_id_of(user_id), AsOf.of_moments(at, known_at)
        instant = self._instant(as_of)
        with self._ledger.database.read() as connection:
            first = self._top(connection, user, MOST_ENGAGED_ISSUES, as_of, instant)
            return statistics(self._engagements(connection, user, as_of).totals(), first)

    def history(
        self,
        user_id: str,
        issue_id: str | None = None,
        at: Moment = None,
        known_at: Moment = None,
    ) -> Iterator["store.event_queries.HistoryEntry"]:
        """Yield the user's events, of one issue or of all, the earliest first.

        Each has its issue's key as written, the present name where that is another one, and
        Linear's UUID where it is given or a look-up found it.
        """
        user, as_of = user_id_of(user_id), AsOf.of_moments(at, known_at)
        issue = None if issue_id is None else issue_id_of(issue_id)
        return self._history(user, issue, as_of)

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
        user, as_of = user_id_of(user_id), AsOf.of_moments(at, known_at)
        issue = None if issue_id is None else issue_id_of(issue_id)
        with self._ledger.database.read() as connection:
            names = self._names(connection, as_of)
            query = _history_query(user, issue, as_of, names)
            page = store.user_history.page_of_history(
                connection, self._ledger.archive, query, limit, latest=latest
            )
            ids = LinearIds(connection, self._ledger.database, names, as_of.known_at)
            return page._replace(entries=[_named(each, names, ids) for each in page.entries])

    @without_collecting()
    def explain(
        self, user_id: str, issue_id: str, at: Moment = None, known_at: Moment = None
    ) -> Explanation:
        """The answer of `ask`, with everything that the score is computed from."""
        user, issue, as_of = (
            user_id_of(user_id),
            issue_id_of(issue_id),
            AsOf.of_moments(at, known_at),
        )
        instant = self._instant(as_of)
        with self._ledger.database.read() as connection:
            adopted = self._adopted(connection, as_of)
            rows, name = self._rows(connection, user, as_of, issue)
            origin_of = store.event_queries.origins_of(connection)
            events = [Sourced(row, origin_of(row.position).source) for row in rows]
        return explain(events, name, as_of, instant, adopted)

    def explain_order(
        self, user_id: str, at: Moment = None, known_at: Moment = None
    ) -> OrderExplanation | None:
        """The reason why the first of `top` ranks above the second; None if there are fewer."""
        user, as_of = user_id_of(user_id), AsOf.of_moments(at, known_at)
        instant = self._instant(as_of)
        with self._ledger.database.read() as connection:
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
        user, as_of = user_id_of(user_id), AsOf.of_moments(None, known_at)
        with self._ledger.database.read() as connection:
            rows, name = self._rows(connection, user, as_of, issue_id_of(issue_id))
            policy = self._policy(connection, as_of)
        return score_series(name, as_of.of(rows), instant_of(start), instant_of(end), policy)

    def known(
        self, user_id: str, issue_id: str | None = None, known_at: Moment = None
    ) -> tuple[list[EventRow], ScoringPolicy]:
        """The rows for folds of the user's events, of one issue or all, and the policy.

        Both are as known at a moment; the rows have the present names of issues.
        """
        user, as_of = user_id_of(user_id), AsOf.of_moments(None, known_at)
        issue = None if issue_id is None else issue_id_of(issue_id)
        with self._ledger.database.read() as connection:
            rows, _ = self._rows(connection, user, as_of, issue)
            return as_of.of(rows), self._policy(connection, as_of)

    def _top(
        self, connection: Connection, user: str, limit: int, as_of: AsOf, instant: Instant
    ) -> list[Ranked]:
        policy = self._policy(connection, as_of)
        theirs = self._engagements(connection, user, as_of)
        hidden = hidden_of(connection, user, as_of, theirs.names)
        enough = min(limit + len(hidden), sys.maxsize)
        found = theirs.top(enough, instant, policy)
        return listed(found, hidden, limit)

    def _history(
        self, user: str, issue: str | None, as_of: AsOf
    ) -> Iterator["store.event_queries.HistoryEntry"]:
        archive = self._ledger.archive
        with self._ledger.database.read() as connection:
            names = self._names(connection, as_of)
            query, ids = (
                _history_query(user, issue, as_of, names),
                LinearIds(connection, self._ledger.database, names, as_of.known_at),
            )
            for entry in store.user_history.history_of_user(connection, archive, query):
                yield _named(entry, names, ids)

    def _engagements(
        self, connection: Connection, user: str, as_of: AsOf
    ) -> "PresentEngagements | read_model.past_queries.PastEngagements":
        if as_of.is_present:
            return PresentEngagements(connection, self._ledger.database, user, self._moved)
        archive, names = self._ledger.archive, self._names(connection, as_of)
        return read_model.past_queries.PastEngagements(connection, archive, user, as_of, names)

    def _rows(
        self, connection: Connection, user: str, as_of: AsOf, issue: str | None
    ) -> tuple[list[EventRow], str]:
        """The rows of one issue or all, by present names, and the issue's name."""
        archive, names = self._ledger.archive, self._names(connection, as_of)
        if issue is None:
            rows = store.event_queries.rows_of_user(connection, archive, user)
            return names.renamed(rows), ""
        name = names.name(issue)
        rows = rows_of_spans(connection, archive, user, names.spans(name))
        return names.renamed(rows), name

    def _names(self, connection: Connection, as_of: AsOf) -> Names:
        return self._moved.names(connection, self._ledger.database, as_of.known_at)

    def _adopted(self, connection: Connection, as_of: AsOf) -> Adopted:
        return self._policies.known_at(connection, as_of.known_at)

    def _policy(self, connection: Connection, as_of: AsOf) -> ScoringPolicy:
        return self._adopted(connection, as_of).policy

    def _instant(self, as_of: AsOf) -> Instant:
        return as_of.instant(instant_of(self._clock()))


def hidden_of(connection: Connection, user: str, as_of: AsOf, names: Names) -> frozenset[str]:
    """The issues that the user had hidden, by their present names."""
    return hidden_issues((event for _, event in hidings_of_user(connection, user)), as_of, names)


def _history_query(
    user: str, issue: str | None, as_of: AsOf, names: Names
) -> "store.user_history.HistoryQuery":
    spans = None if issue is None else names.spans(names.name(issue))
    return store.user_history.HistoryQuery(user, spans, as_of)


def _named(
    entry: "store.event_queries.HistoryEntry", names: Names, ids: LinearIds
) -> "store.event_queries.HistoryEntry":
    """The entry with the present name of its issue, and Linear's UUID."""
    event = entry.event
    key, at = event.issue_id, event.occurred_at
    name = names.name(key, at)
    given = event.linear_id if isinstance(event, InteractionRecorded) else None
    return entry._replace(name=None if name == key else name, linear_id=given or ids.of(key, at))
