"""Checks across rows: positions, versions, source keys and origins."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Connection

from ledger import codec
from ledger.archive.columns import integers
from ledger.archive.reading import events_by_account
from ledger.archive.segment_store import Archive
from ledger.events import TOPICS
from ledger.segment import Segment, events_in
from ledger.store.decoding import stored_uuid
from ledger.store.segment_rows import segments
from ledger.verification.findings import Finding, truth

_GAP = "events may be missing or counted twice"
_HOT = "SELECT stream, count(*), max(version) FROM events GROUP BY stream"
_STREAMS = "SELECT id, originator_id, version FROM streams"
_ORIGIN = "SELECT salt, context, metadata, source FROM origins WHERE position = ?"


def position_findings(connection: Connection) -> Iterator[Finding]:
    """Check that every position up to the head has exactly one event, hot or in a segment."""
    sealed, last = segments(connection), 0
    for segment in sealed:
        if segment.first_position != last + 1 or segment.last_position < segment.first_position:
            what = f"no segment begins at position {last + 1}"
            yield truth("segments", what, _GAP)
        last = segment.last_position
    head = _one(connection, "SELECT position FROM head")
    hot = _one(connection, "SELECT count(*) FROM events WHERE position > ?", last)
    own = _one(
        connection, "SELECT count(*) FROM events WHERE position <= ? AND issue_id IS NULL", last
    )
    left = _one(
        connection, "SELECT count(*) FROM events WHERE position <= ? AND issue_id NOT NULL", last
    )
    most = _one(connection, "SELECT max(position) FROM events")
    if hot != max(0, head - last) or max(last, most) != head:
        what = f"there are {hot} after position {last}, but the head is at {head}"
        yield truth("events", what, _GAP)
    if own + events_in(sealed) != last:
        what = f"there are {own + events_in(sealed)} for {last} sealed positions"
        yield truth("events", what, _GAP)
    if left:
        yield truth("events", f"{left} of them are sealed and hot as well", _GAP)


def version_findings(connection: Connection, archive: Archive) -> Iterator[Finding]:
    """Check that each stream has all versions up to its last one."""
    sealed: Counter[str] = Counter()
    for segment in segments(connection):
        sealed.update(events_by_account(archive, segment))
    others = {stream for (stream,) in _all(connection, _others())}
    hot = {stream: rest for stream, *rest in _all(connection, _HOT)}
    for stream, originator, version in _all(connection, _STREAMS):
        count, last = hot.get(stream, (0, -1))
        ends_at = max(version, last)
        counted = count + sealed[str(stored_uuid(originator))]
        if stream not in others and counted != ends_at + 1:
            what = f"stream {stream} ends at version {ends_at}, but has {counted} events"
            yield truth("streams", what, _GAP)


def _others() -> str:
    """The query for streams of other applications, which choose their versions themselves."""
    ours = ", ".join(f"'{each}'" for each in TOPICS)
    return f"SELECT DISTINCT stream FROM events WHERE topic NOT IN ({ours})"  # noqa: S608 - our own words


def key_findings(connection: Connection) -> Iterator[Finding]:
    """Check that each source key belongs to an interaction, and no two to the same one."""
    nowhere = _one(
        connection,
        """SELECT count(*) FROM sources WHERE position < 1
        OR position > (SELECT position FROM head)
        OR position IN (SELECT position FROM events
                        WHERE issue_id IS NULL AND topic != 'hiding')""",
    )
    twice = _one(
        connection,
        "SELECT count(*) FROM (SELECT 1 FROM sources GROUP BY position HAVING count(*) > 1)",
    )
    for count, what in (
        (nowhere, "name no interaction"),
        (twice, "name the same one as another row"),
    ):
        if count:
            meaning = "an interaction may be counted twice or not at all when it comes again"
            yield truth("sources", f"{count} of its rows {what}", meaning)


def origin_findings(connection: Connection, archive: Archive) -> Iterator[Finding]:
    """Check each origin against the commitment in its event."""
    query = """SELECT o.position, e.commitment, o.salt, o.context, o.metadata, o.source
        FROM origins o JOIN events e ON e.position = o.position"""
    for position, commitment, *origin in _all(connection, query):
        if not _is_bound(commitment, origin):
            yield _unbound(position)
    yield from _sealed_origin_findings(connection, archive)
    yield from _lone_origin_findings(connection)


def _sealed_origin_findings(connection: Connection, archive: Archive) -> Iterator[Finding]:
    for segment in segments(connection):
        wanted = _origins_of(connection, segment)
        found: set[int] = set()
        groups = archive.row_groups(segment, ("position", "commitment")) if len(wanted) else ()
        for group in groups:
            chosen = group.filter(np.isin(integers(group["position"]), wanted))
            for each in chosen.to_pylist():
                found.add(each["position"])
                row = _row(connection, _ORIGIN, each["position"])
                if not _is_bound(each["commitment"], list(row or ())):
                    yield _unbound(each["position"])
        for position in sorted(set(wanted.tolist()) - found):
            yield _unbound(position)


def _origins_of(connection: Connection, segment: Segment) -> Any:  # noqa: ANN401 - an array
    query = """SELECT position FROM origins WHERE position BETWEEN ? AND ?
        AND position NOT IN (SELECT position FROM events WHERE position BETWEEN ? AND ?)"""
    rows = _all(connection, query, *segment.range, *segment.range)
    return np.array([position for (position,) in rows], np.int64)


def _lone_origin_findings(connection: Connection) -> Iterator[Finding]:
    query = """SELECT position FROM origins WHERE position > ?
        AND position NOT IN (SELECT position FROM events)"""
    last = max((each.last_position for each in segments(connection)), default=0)
    for (position,) in _all(connection, query, last):
        yield _unbound(position)


def _unbound(position: object) -> Finding:
    what = f"the row with the position {position} does not match its event's commitment"
    return truth("origins", what, "its text or its source may have changed")


def _is_bound(commitment: bytes | None, origin: list[Any]) -> bool:
    try:
        salt, context, metadata, source = origin
        raw = None if metadata is None else msgspec.Raw(metadata)
        return codec.commitment(salt, codec.Origin(context, raw, source)) == commitment
    except (ValueError, TypeError, msgspec.MsgspecError):  # if the types are wrong
        return False


def _all(connection: Connection, query: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
    cursor: Iterator[tuple[Any, ...]] = connection.connection.cursor().execute(query, parameters)
    return cursor


def _row(connection: Connection, query: str, *parameters: object) -> tuple[Any, ...] | None:
    return next(_all(connection, query, *parameters), None)


def _one(connection: Connection, query: str, *parameters: object) -> int:
    row = _row(connection, query, *parameters)
    return 0 if row is None or row[0] is None else row[0]
