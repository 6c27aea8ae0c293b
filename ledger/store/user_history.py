"""The events of one user in the order of time (R8): all of them, or one end of the list.

The order is computed from two numbers of each event, read by columns; full events are only read for
the entries that are requested, some thousands at a time. So memory grows by a few bytes per event.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import reduce
from heapq import merge
from itertools import product
from operator import or_
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, select

from ledger.archive.columns import (
    MOMENT_COLUMNS,
    SCHEMA,
    Integers,
    integers,
    occurred_at,
    recorded_at,
)
from ledger.archive.reading import corrected, effective_instants, events_in_time
from ledger.archive.segment_store import Archive
from ledger.as_of import AsOf, KeySpan
from ledger.events import AccountEvent, Corrections
from ledger.store import tables
from ledger.store.accounts import hidings_of_user
from ledger.store.clock_corrections import corrections
from ledger.store.event_queries import HistoryEntry, account_of, of_user, origins_of
from ledger.store.rows import StoredRow, select_stored
from ledger.store.segment_rows import sealed_position, segments
from ledger.store.statements import Query, Statement, decoding

READ_AT_ONCE = 65_536
"""The most full events in memory, as columns, while a history is read."""

_Placed = tuple[int, AccountEvent]

_e = tables.events.c
_MOMENTS = select(_e.position, _e.occurred_at, _e.recorded_at)
_OF_USER = Statement(of_user(_MOMENTS), "user_id")
_OF_ISSUE = Statement(
    of_user(_MOMENTS).where(_e.issue_id == bindparam("issue")), "user_id", "issue"
)


def _placed(*columns: Any) -> _Placed:  # noqa: ANN401 - of a `StoredRow`
    row = StoredRow(*columns)
    return row.position, row.event


_EVENT = Query(
    _placed,
    select_stored().where(_e.position == bindparam("position"), _e.issue_id.is_not(None)),
    "position",
)
_MOMENT = np.dtype([(column.name, np.int64) for column in _MOMENTS.selected_columns])


class HistoryQuery(NamedTuple):
    """A query: a user, the spans of one issue or all, and the moments that bound it."""

    user_id: str
    spans: Sequence[KeySpan] | None = None
    as_of: AsOf = AsOf()

    @property
    def keys(self) -> Collection[str | None]:
        """The keys of the issue; one that is None stands for all issues."""
        return [None] if self.spans is None else {span.key for span in self.spans}

    def covers(self, key: str | None, at: Integers) -> NDArray[np.bool_]:
        """Whether events with a key are of the issue, if one is given, by their instants."""
        spans = [span for span in self.spans or () if span.key == key]
        within = [(at >= span.start) & (at < span.end) for span in spans]
        return reduce(or_, within, np.full(len(at), self.spans is None))


class Page(NamedTuple):
    """The first or last entries of a history, and the total number of its entries."""

    entries: list[HistoryEntry]
    total: int


class Moments(NamedTuple):
    """The sort keys of events in a history: the instant of occurrence, then the position."""

    occurred_at: Integers
    position: Integers


class Source(Protocol):
    """A source of events of a query: hot, sealed or hidings."""

    def moments(self) -> Iterator[Moments]:
        """Yield the sort keys of all events, in no particular order."""

    def events(self, positions: Integers) -> Iterator[_Placed]:
        """Yield the events at some positions, the earliest first."""


def history_of_user(
    connection: Connection, archive: Archive, query: HistoryQuery
) -> Iterator[HistoryEntry]:
    """Yield the events of a query, the earliest first; at one instant as recorded."""
    sources = _sources(connection, archive, query)
    yield from _entries(connection, sources, _positions_in_time(sources))


def page_of_history(
    connection: Connection, archive: Archive, query: HistoryQuery, limit: int, *, latest: bool
) -> Page:
    """Return the first `limit` entries of a history, or the `latest` ones, the latest first."""
    sources = _sources(connection, archive, query)
    positions = _positions_in_time(sources)
    chosen = positions[max(0, len(positions) - limit) :] if latest else positions[:limit]
    entries = list(_entries(connection, sources, chosen))
    return Page(entries[::-1] if latest else entries, len(positions))


def _sources(connection: Connection, archive: Archive, query: HistoryQuery) -> Sequence[Source]:
    by = corrections(connection)
    return (
        _Hot(connection, query, by),
        _Sealed(connection, archive, query, by),
        _Hidings(connection, query),
    )


def _positions_in_time(sources: Sequence[Source]) -> Integers:
    moments = [part for source in sources for part in source.moments()]
    if not moments:
        return np.empty(0, np.int64)
    occurred, positions = (np.concatenate(column) for column in zip(*moments, strict=True))
    in_time: Integers = positions[np.lexsort((positions, occurred))]
    return in_time


def _entries(
    connection: Connection, sources: Sequence[Source], positions: Integers
) -> Iterator[HistoryEntry]:
    origin_of = origins_of(connection)
    for begin in range(0, len(positions), READ_AT_ONCE):
        some = positions[begin : begin + READ_AT_ONCE]
        for position, event in merge(*(each.events(some) for each in sources), key=_moment):
            yield HistoryEntry(position, event, origin_of(position))


def _moment(placed: _Placed) -> tuple[int, int]:
    position, event = placed
    return event.occurred_at, position


def _seen(query: HistoryQuery, by: Corrections, columns: Sequence[Any], key: str | None) -> Moments:
    """The sort keys of the events with a key that the query includes, by effective instants."""
    positions, occurred, recorded = columns
    if by:
        occurred, recorded = effective_instants(by, positions, occurred, recorded)
    is_seen = query.covers(key, occurred) & query.as_of.sees(occurred, recorded)
    return Moments(occurred[is_seen], positions[is_seen])


class _Hot:
    """The interactions and overrides in the database."""

    def __init__(self, connection: Connection, query: HistoryQuery, by: Corrections) -> None:
        self._connection, self._query, self._by = connection, query, by

    def moments(self) -> Iterator[Moments]:
        user = self._query.user_id
        for key in self._query.keys:
            if key is None:
                cursor = _OF_USER.run(self._connection, user)
            else:
                cursor = _OF_ISSUE.run(self._connection, user, key)
            with decoding("an event's instant"):
                rows = np.fromiter(cursor, _MOMENT)
            columns = [rows[name] for name in rows.dtype.names or ()]
            yield _seen(self._query, self._by, columns, key)

    def events(self, positions: Integers) -> Iterator[_Placed]:
        hot = positions[positions > sealed_position(self._connection)]
        placed = filter(None, map(_EVENT.finder(self._connection), hot.tolist()))
        return iter(self._by.of_events(placed))


def _is_of(query: HistoryQuery, event: AccountEvent) -> bool:
    spans = query.spans
    return spans is None or any(
        span.key == event.issue_id and span.covers(event.occurred_at) for span in spans
    )


class _Hidings:
    """The hidings, which stay in the database and are few."""

    def __init__(self, connection: Connection, query: HistoryQuery) -> None:
        found = hidings_of_user(connection, query.user_id)
        seen = (
            (position, event)
            for position, event in found
            if _is_of(query, event) and query.as_of.sees(event.occurred_at, event.recorded_at)
        )
        self._placed = sorted(seen, key=_moment)

    def moments(self) -> Iterator[Moments]:
        placed = [_moment(each) for each in self._placed]
        yield Moments(*np.array(placed, np.int64).reshape(-1, 2).T)

    def events(self, positions: Integers) -> Iterator[_Placed]:
        chosen = set(positions.tolist())
        return ((position, event) for position, event in self._placed if position in chosen)


class _Sealed:
    """The events in segments."""

    def __init__(
        self, connection: Connection, archive: Archive, query: HistoryQuery, by: Corrections
    ) -> None:
        found = account_of(connection, query.user_id)
        self._account = None if found is None else found.uuid
        self._segments = [] if found is None else segments(connection)
        self._archive, self._query, self._by = archive, query, by

    def moments(self) -> Iterator[Moments]:
        for key, table in self._tables(MOMENT_COLUMNS):
            columns = integers(table["position"]), occurred_at(table), recorded_at(table)
            yield _seen(self._query, self._by, columns, key)

    def events(self, positions: Integers) -> Iterator[_Placed]:
        found = [corrected(each, self._by) for _, each in self._tables(SCHEMA.names, positions)]
        return events_in_time(pa.concat_tables(found)) if found else iter(())

    def _tables(
        self, columns: Sequence[str], positions: Integers | None = None
    ) -> Iterator[tuple[str | None, pa.Table]]:
        if self._account is not None:
            for segment, key in product(self._segments, self._query.keys):
                for group in self._archive.account_groups(
                    segment, self._account, key, columns, positions
                ):
                    yield key, group
