"""The engagements of one user at present, by the present names of their issues.

Rows and tail have the key as written. Without moves nothing else happens than in `queries`; with
them, engagements of keys that name one issue are merged, which is exact (R3). A key that has named
several issues is folded again from its events.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import TYPE_CHECKING

from sqlalchemy import Connection, literal_column, select

from ledger import store
from ledger.as_of import AsOf, KeySpan
from ledger.events import EventRow
from ledger.instants import Instant
from ledger.store.database import Database
from ledger.store.statements import Query
from projections.engagement import NONE, Engagement, folds_as_of, merge
from projections.policy import MOST_FREQUENCY_BANDS, ScoringPolicy
from projections.ranking import Bands, Ranked, in_bands, ranking
from projections.read_model import queries
from projections.read_model.engagement_rows import Stored, fold_stored, together
from projections.read_model.moved_issues import Merged, MovedIssues
from projections.read_model.tables import LIVE_NAME, STREAM_OF_USER, read_models
from projections.statistics import Totals

if TYPE_CHECKING:
    from ledger.archive.segment_store import Archive

_Pair = tuple[str, Engagement]


def _place(stream: int | None, watermark: int) -> tuple[int | None, int]:
    return stream, watermark


_PLACE = Query(
    _place,
    select(STREAM_OF_USER, read_models.c.position).where(
        read_models.c.name == literal_column(f"'{LIVE_NAME}'")
    ),
    "user_id",
)


def rows_of_spans(
    connection: Connection,
    archive: "Archive",
    user_id: str,
    spans: Iterable[KeySpan],
) -> list[EventRow]:
    """The rows for folds of the user's events with one issue, which has these spans."""
    return [
        row
        for span in spans
        for row in store.event_queries.rows_of_user(connection, archive, user_id, span.key)
        if span.covers(row.occurred_at)
    ]


def surplus_of_moved(
    connection: Connection,
    database: Database,
    moved: MovedIssues,
    counts: Callable[[Engagement], bool],
    user_id: str | None = None,
) -> int:
    """The sum of `PresentEngagements.surplus` over all users, or that of one."""
    if not moved.names(connection, database):
        return 0
    users = queries.users_of_moved(connection) if user_id is None else [user_id]
    found = (PresentEngagements(connection, database, user, moved) for user in users)
    return sum(each.surplus(counts) for each in found)


class PresentEngagements:
    """The engagements of one user as they are."""

    def __init__(
        self,
        connection: Connection,
        database: Database,
        user_id: str,
        moved: MovedIssues,
    ) -> None:
        """Read what is asked for, when it is; the archive's libraries load only when it is read."""
        self._connection, self._database, self._user = connection, database, user_id
        self._moved, self.names = moved, moved.names(connection, database)

    def one(self, issue: str) -> Engagement:
        """The engagement with the issue that has, or had, this key; or NONE."""
        found = self.stored(issue)
        return NONE if found is None else found.engagement

    def stored(self, issue: str) -> Stored | None:
        """The row of an issue, without the columns that a policy determines, if it is touched."""
        spans = self.names.spans(self.names.name(issue))
        rows = [each for each in map(self._of_span, spans) if each is not None]
        found = reduce(together, rows) if rows else None
        return found if found is not None and found.engagement.count else None

    def all(self) -> list[_Pair]:
        """All with their issues, in no particular order."""
        pairs = queries.engagements_of(self._connection, self._user)
        return list(self._resolved(pairs)) if self.names else pairs

    def top(self, limit: int, at: Instant, policy: ScoringPolicy) -> list[Ranked]:
        """The first `limit` of their ranking at `at`, for which few more are read."""
        if policy.frequency_bands > MOST_FREQUENCY_BANDS:
            return ranking(self.all(), at, policy)[:limit]
        beside = self._beside(policy) if self.names else None
        return queries.top_of(self._connection, self._user, limit, at, policy, beside)

    def totals(self) -> Totals:
        """The sums over all."""
        totals = queries.totals_of(self._connection, self._user)
        if not self.names:
            return totals
        issues = totals.issues - self.surplus(lambda _: True)
        return Totals(totals.interactions, issues, totals.last_at)

    def surplus(self, counts: Callable[[Engagement], bool]) -> int:
        """How many more engagements count by keys as written than by present names."""
        keys = self._stored_by_key()
        touched = queries.touched_by_tail(self._connection, self._user)
        keys |= {key: each for key, each in touched.items() if key in self.names.moved}
        merged = sum(counts(each) for _, each in self._resolved(keys.items()))
        return sum(map(counts, keys.values())) - merged

    def _of_span(self, span: KeySpan) -> Stored | None:
        if span.key not in self.names.parted:
            return queries.stored_of(self._connection, self._user, span.key)
        rows = rows_of_spans(self._connection, self._database.archive, self._user, [span])
        return fold_stored(sorted(rows)) if rows else None

    def _resolved(self, pairs: Iterable[_Pair]) -> Iterator[_Pair]:
        """Yield engagements by present names; `pairs` have the keys as written."""
        merged = defaultdict[str, Engagement](lambda: NONE)
        for key, engagement in pairs:
            if key not in self.names.moved:
                yield key, engagement
                continue
            for name, part in self._parts(key, engagement):
                merged[name] = merge(merged[name], part)
        yield from ((name, found) for name, found in merged.items() if found.count)

    def _parts(self, key: str, engagement: Engagement) -> Iterable[_Pair]:
        """The engagement of a key by the issues that the key has named."""
        if key not in self.names.parted:
            return [(self.names.name(key), engagement)]
        rows = store.event_queries.rows_of_user(
            self._connection, self._database.archive, self._user, key
        )
        return folds_as_of(self.names.renamed(rows), AsOf()).items()

    def _beside(self, policy: ScoringPolicy) -> queries.Beside:
        """The merged engagements, in place of the stored ones of keys that moved."""
        touched = queries.touched_by_tail(self._connection, self._user)
        stored = self._stored_bands(policy)
        if not touched:
            return queries.Beside(self.names.moved, stored, ())
        moved = touched.keys() & self.names.moved
        others = [(key, each) for key, each in touched.items() if key not in moved]
        names = {name for key in moved for name in self.names.all_names(key)}
        others += [(name, found) for name in names if (found := self.one(name)).count]
        bands = (
            {
                band: [(name, found) for name, found in pairs if name not in names]
                for band, pairs in stored.items()
            }
            if names
            else stored
        )
        return queries.Beside(self.names.moved | touched.keys(), bands, others)

    def _stored_by_key(self) -> dict[str, Engagement]:
        """The stored engagements of keys that moved."""
        found = queries.moved_engagements(self._connection, self._user)
        return {key: each for key, each in found.items() if key in self.names.moved}

    def _stored_bands(self, policy: ScoringPolicy) -> Bands:
        """The merged engagements; of those that the tail touches, anything."""

        def merged() -> Bands:
            return in_bands(self._resolved(self._stored_by_key().items()), policy)

        place = _PLACE.one(self._connection, self._user)
        return self._moved.bands.get(Merged(*place, self.names, policy), merged)
