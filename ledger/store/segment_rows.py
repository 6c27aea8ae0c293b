"""The table of segments within one transaction: reading, sealing, merging and retiring."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select

from ledger.errors import ArchiveUnavailableError, LedgerError
from ledger.events import HistorySealed
from ledger.instants import Instant
from ledger.segment import Segment
from ledger.store import tables
from ledger.store.rows import INSERT_EVENT, change, event_row, opaque_values, with_checksum
from ledger.store.statements import Query, Statement, decoding, value
from ledger.store.streams import Head, Streams, keep_versions

_s, _e = tables.segments.c, tables.events.c

IS_SEALABLE = or_(_e.issue_id.is_not(None), tables.IS_OBSERVATION)
"""The condition for events that go into segments: with typed columns, or observations."""

_FIELDS = Segment.__struct_fields__


def _segment(*row: object) -> Segment:
    with decoding("a segment's row"):
        return msgspec.convert(dict(zip(_FIELDS, row, strict=True)), Segment)


_SEGMENTS = Query(_segment, select(*_s[_FIELDS]).order_by(_s.first_position))
_CERTIFICATES: Query[str] = Query(
    value,
    select(_s.certificates).where(
        _s.first_position == bindparam("first"), _s.last_position == bindparam("last")
    ),
    "first",
    "last",
)
_SEALED: Query[int | None] = Query(value, select(func.max(_s.last_position)))
_INSERT = Statement(insert(tables.segments), *tables.segments.c.keys())
_DELETE = Statement(
    delete(tables.segments).where(
        _s.first_position == bindparam("first"), _s.last_position == bindparam("last")
    ),
    "first",
    "last",
)
_DELETE_EVENTS = Statement(
    delete(tables.events).where(
        _e.position >= bindparam("first"),
        _e.position <= bindparam("last"),
        IS_SEALABLE,
    ),
    "first",
    "last",
)


class Retired(NamedTuple):
    """A segment that a merged one replaced: its range, when, and the digests of its file."""

    first_position: int
    last_position: int
    retired_at: Instant
    size_bytes: int
    blocks: bytes

    @property
    def range(self) -> tuple[int, int]:
        """The first and the last position."""
        return self.first_position, self.last_position


_r = tables.retired.c
_RETIRED = Query(Retired, select(*_r[Retired._fields]).order_by(_r.first_position))
_RETIRE = Statement(insert(tables.retired), *tables.retired.c.keys())
_FORGET_RETIRED = Statement(
    delete(tables.retired).where(
        _r.first_position == bindparam("first"), _r.last_position == bindparam("last")
    ),
    "first",
    "last",
)

Comparison = dict[str, Any]
"""Counts and sums that were compared before ranges were sealed, as plain values."""

Certificate = dict[str, Any]
"""The proof that the rows of a range could be deleted: range, digest and comparison."""


def segments(connection: Connection) -> list[Segment]:
    """All segments, the oldest first; they cover the positions from 1 on without a gap."""
    return list(_SEGMENTS.all(connection))


def sealed_position(connection: Connection) -> int:
    """The last sealed position, or 0."""
    return _SEALED.one(connection) or 0


def certificates(connection: Connection, segment: Segment) -> list[Certificate]:
    """The certificates of a segment, one of each sealing that it contains.

    Raises ArchiveUnavailableError if a larger segment has replaced it.
    """
    stored = _CERTIFICATES.first(connection, *segment.range)
    if stored is None:
        message = f"{segment.name} was merged into a larger segment meanwhile; ask again"
        raise ArchiveUnavailableError(message)
    with decoding(f"what was certified of {segment.name}"):
        return msgspec.json.decode(stored, type=list[Certificate])


def seal(connection: Connection, segment: Segment, certificate: Certificate, at: Instant) -> None:
    """Record that a segment holds its range from now on, and delete the events from the hot store.

    Only for a segment whose file is durable and verified (R9). Raises LedgerError if the hot
    store's events of the range are not those of the segment; then the caller must not commit.
    """
    _record(connection, segment, at)
    _insert(connection, segment, [certificate])
    keep_versions(connection, *segment.range)
    deleted = _DELETE_EVENTS.run(connection, *segment.range).rowcount
    if deleted != segment.events:
        message = f"{deleted} events were to be deleted for the {segment.events} of {segment.name}"
        raise LedgerError(message)


def replace(connection: Connection, merged: Segment, parts: Sequence[Segment], at: Instant) -> None:
    """Replace segments by the one that they were merged into, and note their files as retired."""
    kept = [each for part in parts for each in certificates(connection, part)]
    _insert(connection, merged, kept)
    _DELETE.run_many(connection, [part.range for part in parts])
    rows = [(*part.range, at, part.size_bytes, part.blocks) for part in parts]
    _RETIRE.run_many(connection, [with_checksum(tables.retired.name, row) for row in rows])


def retired(connection: Connection) -> list[Retired]:
    """The replaced segments whose files were not removed yet."""
    return list(_RETIRED.all(connection))


def bound_retired(connection: Connection, at: Instant) -> None:
    """Move later instants of replacement back to `at`."""
    change(connection, tables.retired, tables.retired.c.retired_at > at, retired_at=at)


def forget_retired(connection: Connection, each: Retired) -> None:
    """Delete the row of a replaced segment whose file was removed."""
    _FORGET_RETIRED.run(connection, *each.range)


def _insert(connection: Connection, segment: Segment, kept: list[Certificate]) -> None:
    row = (*msgspec.structs.astuple(segment), msgspec.json.encode(kept).decode())
    _INSERT.run(connection, *with_checksum(tables.segments.name, row))


def _record(connection: Connection, segment: Segment, at: Instant) -> None:
    head = Head.read(connection)
    head.advance(at)
    own_id, stream = Streams(connection).own()
    stream.version += 1
    event = HistorySealed(
        own_id,
        stream.version,
        head.recorded_at,
        segment.first_position,
        segment.last_position,
        segment.events,
        segment.digest.hex(),
    )
    values = opaque_values(head.next_position(), stream.id, event)
    head.write(connection)
    INSERT_EVENT.run(connection, *event_row(values))
