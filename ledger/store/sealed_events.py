"""Sealed events as the eventsourcing package stores events."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from uuid import UUID

import numpy as np
import pyarrow as pa
from eventsourcing.persistence import Notification, StoredEvent
from sqlalchemy import Connection, bindparam, select

from ledger import codec
from ledger.archive.columns import integers
from ledger.archive.digests import WINDOW
from ledger.archive.reading import event_rows, events_in_time, placed_events
from ledger.archive.segment_store import Archive
from ledger.events import SEALED_TOPICS, EventRow
from ledger.segment import Segment
from ledger.store import tables
from ledger.store.clock_corrections import corrections
from ledger.store.segment_rows import segments
from ledger.store.statements import Statement

_s, _a = tables.streams, tables.accounts

_STREAM = Statement(
    select(_s.c.id)
    .join(_a, _a.c.stream == _s.c.id)
    .where(_s.c.originator_id == bindparam("originator")),
    "originator",
)

_PAGE = 1_000


def sealed_events_of(
    connection: Connection, archive: Archive, originator_id: UUID | str
) -> list[StoredEvent]:
    """The sealed events of one account, in no particular order, under the id as given."""
    account = str(UUID(str(originator_id)))
    parts = (archive.read_account(each, account) for each in segments(connection))
    events = (event for table in parts for _, event in events_in_time(table))
    return [
        StoredEvent(
            originator_id, event.originator_version, codec.topic_of(event), codec.encode(event)
        )
        for event in events
    ]


def sealed_notifications(
    connection: Connection, archive: Archive, first: int, last: int, topics: Sequence[str]
) -> Iterator[Notification]:
    """Yield the sealed events at the positions `first` to `last`, limited to `topics` if given."""
    if topics and SEALED_TOPICS.isdisjoint(topics):
        return
    for table in _windows(connection, archive, first, last):
        for notification in _notifications(table):
            if not topics or notification.topic in topics:
                yield notification


def _notifications(table: pa.Table) -> Iterator[Notification]:
    for page in range(0, len(table), _PAGE):
        for position, event in placed_events(table.slice(page, _PAGE)):
            yield Notification(
                event.originator_id,
                event.originator_version,
                codec.topic_of(event),
                codec.encode(event),
                id=position,
            )


def sealed_rows(
    connection: Connection, archive: Archive, first: int, last: int
) -> Iterator[EventRow]:
    """Yield the rows for folds of a range's sealed events that belong to a user, by position."""
    find, known = _STREAM.finder(connection), corrections(connection)
    for table in _windows(connection, archive, first, last):
        accounts = table["account"].to_pylist()
        streams = {account: find(UUID(account).bytes) for account in set(accounts)}
        read = known.of(list(event_rows(table, repeat(0))))
        rows = zip(read, map(streams.get, accounts), strict=True)
        yield from (row._replace(stream=stream[0]) for row, stream in rows if stream)


def _windows(connection: Connection, archive: Archive, first: int, last: int) -> Iterator[pa.Table]:
    """Yield the sealed events at the positions `first` to `last` in tables, by position."""
    for segment in segments(connection):
        if segment.overlaps(first, last):
            begin, end = max(first, segment.first_position), min(last, segment.last_position)
            for number in range(begin // WINDOW, end // WINDOW + 1):
                yield _between(_recorded(archive, segment, number), begin, end)


@lru_cache(maxsize=1)  # reading page by page reads the same window repeatedly
def _recorded(archive: Archive, segment: Segment, window: int) -> pa.Table:
    return archive.read_positions(segment, window * WINDOW, (window + 1) * WINDOW - 1)


def _between(table: pa.Table, first: int, last: int) -> pa.Table:
    positions = integers(table["position"])
    begin, end = np.searchsorted(positions, (first, last + 1))
    return table.slice(begin, end - begin)
