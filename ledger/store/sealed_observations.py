"""Observations that were sealed, as events: of one issue, of all, and the last ones first.

They are those of the segments in the snapshot of a connection.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from ledger.archive.columns import LAST
from ledger.archive.observed import observed, observed_between, observed_of, ranges
from ledger.archive.segment_store import Archive
from ledger.events import OBSERVATION, IssueObserved
from ledger.segment import Segment
from ledger.store import tables
from ledger.store.rows import opaque_event
from ledger.store.segment_rows import segments
from ledger.store.statements import Query, stored_uuid, value
from ledger.store.streams import Stream

Observed = tuple[int, IssueObserved]
"""An observation at its position."""

REMEMBERED_READINGS = 256
"""Issues, each in one segment, whose observations stay in memory: reading them takes 10 ms."""

_s = tables.streams.c
_STREAM: Query[int] = Query(
    value, select(_s.id).where(_s.originator_id == bindparam("originator")), "originator"
)


def sealed_of(
    connection: Connection, archive: Archive, stream: Stream, wanted: int
) -> list[Observed]:
    """The sealed observations of an issue, by position.

    There are so many `wanted`; the newest segments are read first, until they are found.
    """
    uuid, found = str(stored_uuid(stream.originator_id)), list[Observed]()
    for segment in reversed(segments(connection)):
        if len(found) >= wanted:
            break
        found += _sealed_in(archive, segment, uuid)
    return sorted(found, key=_position)


@lru_cache(maxsize=REMEMBERED_READINGS)
def _sealed_in(archive: Archive, segment: Segment, uuid: str) -> tuple[Observed, ...]:
    """The observations of an issue in one segment, which never change."""
    tables_ = observed_of(archive, segment, uuid)
    return tuple(_event(row) for table in tables_ for row in table.to_pylist())


def sealed_latest_first(connection: Connection, archive: Archive) -> Iterator[Observed]:
    """Yield the sealed observations of all issues, the last recorded first."""
    for segment in reversed(segments(connection)):
        for first, last in reversed(ranges(archive, segment)):
            for table in observed_between(archive, segment, first, last):
                yield from map(_event, reversed(table.to_pylist()))


def sealed_by_issue(
    connection: Connection, archive: Archive
) -> Iterator[tuple[int, int, IssueObserved]]:
    """Yield all sealed observations, without versions, each after its stream and position."""
    find = _STREAM.finder(connection)
    for segment in segments(connection):
        for table in observed(archive, segment):
            streams = {
                name: find(_uuid(name).bytes) for name in table["account"].unique().to_pylist()
            }
            for row in table.to_pylist():
                stream = streams[row["account"]]
                if stream is not None:
                    yield stream, *_event(row | {"version": 0})


def _event(row: dict[str, Any]) -> Observed:
    uuid = _uuid(row["account"])
    return opaque_event(OBSERVATION, row["position"], uuid.bytes, row["version"], row["state"])


def _uuid(name: str) -> UUID:
    return UUID(name.removeprefix(LAST))


def _position(each: Observed) -> int:
    position, _ = each
    return position
