"""Queries of the past: engagements as they were, and what another policy would have said (R8)."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain, islice
from operator import add
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, func, literal_column, select

from ledger.archive.columns import coded, listed, occurred_at, one_table, ranks, recorded_at
from ledger.archive.reading import FOLDED_COLUMNS, corrected, effective_instants
from ledger.archive.segment_store import Archive
from ledger.as_of import AsOf
from ledger.events import Corrections
from ledger.instants import Instant
from ledger.segment import Segment
from ledger.store.clock_corrections import corrections
from ledger.store.event_queries import UserRows, account_of, of_user
from ledger.store.rows import CODE
from ledger.store.segment_rows import segments
from ledger.store.statements import Statement, decoding
from ledger.store.tables import events
from projections.columnar import EventColumns, order
from projections.engagement import NONE, Engagement, engagements_as_of
from projections.evaluation import Judge, Quality, TopChange, top_change
from projections.issue_names import Names
from projections.policy import ScoringPolicy
from projections.ranking import Ranked, ranked
from projections.read_model.columnar_fold import (
    folds_of,
    joined,
    joined_anew,
    partial_of,
    partial_of_columns,
    rows_of,
)
from projections.read_model.full_fold import without_forgotten
from projections.statistics import Totals

# Engagements as they were: folded from the events that an answer about the past sees (R8).
#
# They are columns from the first event to the answer; objects are made of those that it shows.

FOLDED_AT_ONCE = 32_768
"""Hot events that are read and folded together; an engagement is once in each such part."""

_e = events.c
_COLUMNS = select(
    _e.issue_id,
    _e.occurred_at,
    _e.position,
    _e.recorded_at,
    CODE,
    _e.linear_id,
    func.coalesce(_e.score, literal_column("0.0")),
)
_ROW = np.dtype(
    [
        ("issue_id", object),
        ("occurred_at", np.int64),
        ("position", np.int64),
        ("recorded_at", np.int64),
        ("code", np.int64),
        ("linear_id", object),
        ("score", np.float64),
    ]
)
_OF_USER = Statement(of_user(_COLUMNS), "user_id")
_OF_ISSUE = Statement(
    of_user(_COLUMNS).where(_e.issue_id == bindparam("issue")), "user_id", "issue"
)


class _Seen(NamedTuple):
    """The events that an answer includes, at their effective instants, and the names of issues."""

    as_of: AsOf
    by: Corrections
    names: Names


class PastEngagements:
    """The engagements of one user as they were."""

    def __init__(
        self, connection: Connection, archive: Archive, user_id: str, as_of: AsOf, names: Names
    ) -> None:
        """Read and fold events that are seen, when they are asked for.

        `names` are those of issues as known then.
        """
        self._connection, self._archive, self._user = connection, archive, user_id
        self.names = names
        self._seen = _Seen(as_of, corrections(connection), names)

    @cached_property
    def _table(self) -> pa.Table | None:
        return self._folded([None])

    def _folded(self, keys: Iterable[str | None]) -> pa.Table | None:
        """Return the engagements with the issues that some keys name, or None; a key that is None
        stands for all.
        """
        account = account_of(self._connection, self._user)
        if account is None:
            return None
        parts = (
            part
            for key in keys
            for part in chain(
                _hot(self._connection, (self._user, account.uuid, key), self._seen),
                _sealed(self._connection, self._archive, (account.uuid, key), self._seen),
            )
        )
        return _touched(_renamed(_joined(parts), self._seen.names))

    def one(self, issue_id: str) -> Engagement:
        """Return the engagement with the issue that has, or had, this key; or NONE."""
        name = self.names.name(issue_id)
        table = self._folded({span.key for span in self.names.spans(name)})
        return NONE if table is None else dict(self._pairs(table)).get(name, NONE)

    def all(self) -> list[tuple[str, Engagement]]:
        """Return all with their issues, in no particular order."""
        return [] if self._table is None else self._pairs(self._table)

    def top(self, limit: int, at: Instant, policy: ScoringPolicy) -> list[Ranked]:
        """Return the first `limit` of their ranking at `at`."""
        if self._table is None:
            return []
        first = order(folds_of(self._table), at, policy)[:limit]
        shown = self._pairs(self._table.take(pa.array(first)))
        return [ranked(issue, engagement, at, policy) for issue, engagement in shown]

    def totals(self) -> Totals:
        """Return what all add up to."""
        if self._table is None:
            return Totals(0, 0, None)
        folds = folds_of(self._table)
        count, last_at = folds.interactions.sum(), folds.last_at.max()
        return Totals(int(count), len(self._table), Instant(int(last_at)))

    def _pairs(self, table: pa.Table) -> list[tuple[str, Engagement]]:
        if not len(table):
            return []
        rows = (each.row for each in rows_of(without_forgotten(self._connection, table)))
        return [(row.issue_id, row.engagement) for row in rows]


def _joined(parts: Iterable[pa.Table]) -> pa.Table | None:
    """Return one partial of all, or None without any.

    As soon as two are of like size they are joined, so that few are in memory at once.
    """
    pending: list[pa.Table] = []
    for part in parts:
        last = part
        while pending and len(pending[-1]) < 2 * len(last):
            last = one_table(joined([pending.pop(), last]))
        pending.append(last)
    while len(pending) > 1:
        last = pending.pop()
        pending.append(one_table(joined([pending.pop(), last])))
    return pending[0] if pending else None


# Keys of moved issues: one that has named several is renamed event by event, the others at the end.


def _renamed(table: pa.Table | None, names: Names) -> pa.Table | None:
    """Return the engagements by present names, merged."""
    if table is None or not names:
        return table
    issues = [names.name(key) for key in listed(table["issue_id"])]
    column = table.column_names.index("issue_id")
    return joined_anew([table.set_column(column, "issue_id", pa.array(issues, pa.string()))])


def _whole_and_parts(events: pa.Table, names: Names) -> Iterator[pa.Table]:
    """Yield sealed events so that within each part, a key names one issue."""
    issues = events["issue_id"].cast(pa.string())
    parted = pc.is_in(issues, pa.array(names.parted, pa.string()))
    yield events.filter(pc.invert(parted))
    column = events.column_names.index("issue_id")
    for key in pc.unique(issues.filter(parted)).to_pylist():
        part = events.filter(pc.equal(issues, key))
        owners = [names.name(key, at) for at in occurred_at(part).tolist()]
        for owner in set(owners):
            own = part.filter(pa.array([each == owner for each in owners]))
            yield own.set_column(column, "issue_id", coded([owner] * len(own)))


def _touched(table: pa.Table | None) -> pa.Table | None:
    """Return the engagements that have an interaction; None without any."""
    if table is None:
        return None
    touched = table.filter(pa.array(folds_of(table).interactions > 0))
    return one_table([touched]) if len(touched) else None


def _hot(
    connection: Connection, whose: tuple[str, str, str | None], seen: _Seen
) -> Iterator[pa.Table]:
    """Yield the partials of the seen events in the database."""
    user_id, account, issue_id = whose
    as_of, by, names = seen
    if issue_id is None:
        cursor = _OF_USER.run(connection, user_id)
    else:
        cursor = _OF_ISSUE.run(connection, user_id, issue_id)
    while True:
        with decoding("an event"):
            rows = np.fromiter(islice(cursor, FOLDED_AT_ONCE), _ROW)
        if not len(rows):
            return
        if by:
            instants = rows["position"], rows["occurred_at"], rows["recorded_at"]
            rows["occurred_at"], rows["recorded_at"] = effective_instants(by, *instants)
        rows = rows[as_of.sees(rows["occurred_at"], rows["recorded_at"])]
        for row in rows if names.parted else ():
            if row["issue_id"] in names.parted:
                row["issue_id"] = names.name(row["issue_id"], row["occurred_at"])
        if len(rows):
            yield _partial_of(rows, account)


def _partial_of(rows: NDArray[np.void], account: str) -> pa.Table:
    """Return the partial of an account's events, in any order."""
    issue, linear = (coded(rows[name].tolist()) for name in ("issue_id", "linear_id"))
    in_order = np.lexsort((rows["position"], rows["occurred_at"], ranks(pa.chunked_array([issue]))))
    columns = EventColumns(
        rows["position"],
        rows["code"],
        rows["occurred_at"],
        rows["recorded_at"],
        ranks(pa.chunked_array([linear])),
        rows["score"],
    )
    return partial_of_columns(
        coded([account]).take(pa.array(np.zeros(len(rows), np.int64))),
        issue.take(pa.array(in_order)),
        linear,
        EventColumns._make(each[in_order] for each in columns),
    )


def _sealed(
    connection: Connection, archive: Archive, whose: tuple[str, str | None], seen: _Seen
) -> Iterator[pa.Table]:
    """Yield the partials of the seen events in segments."""
    as_of, by, names = seen
    for segment in segments(connection):
        if as_of.known_at is None or _begins_at(segment, by) <= as_of.known_at:
            for group in archive.account_groups(segment, *whose, FOLDED_COLUMNS):
                table = corrected(group, by)
                is_seen = as_of.sees(occurred_at(table), recorded_at(table))
                found = table.filter(pa.array(is_seen))
                parts = _whole_and_parts(found, names) if names.parted else (found,)
                yield from (partial_of(part) for part in parts if len(part))


def _begins_at(segment: Segment, by: Corrections) -> int:
    return by.recorded_at(segment.first_position, segment.first_recorded_at)


# Trials of a policy on the ledger's own history, user by user, before its adoption.

Progress = Callable[[int], object]
"""Called with the number of events processed since the last call."""


class Affected(NamedTuple):
    """A user whose first ten would change."""

    user_id: str
    display_name: str | None
    change: TopChange


class PolicyTrial(msgspec.Struct):
    """The changes by adopting a policy, and the quality of each ranking on the same history."""

    events: int
    users: int
    affected: list[Affected]
    in_force: Quality
    tried: Quality
    most_recent_first: Quality


def tried(
    everybody: Iterable[UserRows],
    policies: tuple[ScoringPolicy, ScoringPolicy],
    as_of: tuple[AsOf, Instant],
    judge: Judge,
    progress: Progress,
) -> PolicyTrial:
    """Compare the second of `policies` with the first, for all users.

    `as_of` selects the events, and the instant at which rankings are compared; `judge` is of these
    policies, or of a single one if both are the same.
    """
    trial = PolicyTrial(0, 0, [], Quality(), Quality(), Quality())
    seen, at = as_of
    for user_id, display_name, recorded in everybody:
        rows = seen.of(recorded)
        trial.events += len(rows)
        trial.users += bool(rows)
        one, *others = (judged.quality for judged in judge.judged(rows))
        qualities = (one, *others) if len(others) > 1 else (one, one, *others)
        sums = map(add, (trial.in_force, trial.tried, trial.most_recent_first), qualities)
        trial.in_force, trial.tried, trial.most_recent_first = sums
        change = top_change(engagements_as_of(rows, seen), at, *policies)
        if change is not None:
            trial.affected.append(Affected(user_id, display_name, change))
        progress(len(recorded))
    return trial
