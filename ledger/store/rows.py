"""Rows of truth: their checksums, and rows of the events table as the events they say."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import repeat
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    case,
    func,
    insert,
    literal_column,
    select,
    update,
)

from ledger import codec
from ledger.commands import Kind
from ledger.errors import LedgerDamagedError, UnknownTopicError
from ledger.events import (
    DECISIONS,
    TYPED_TOPICS,
    Event,
    EventRow,
    FoldedEvent,
    InteractionRecorded,
    decision_of,
)
from ledger.instants import Instant
from ledger.store import tables
from ledger.store.statements import Statement, decoding, stored_uuid
from ledger.store.tables import CHECKSUM
from ledger.validation import IssueId

# Checksums: four bytes in each row of truth, to detect damage.
#
# A checksum is the CRC-32 of the table's name and all other columns in order, encoded as
# MessagePack, so that a value's type counts too. It is written with the row and with each update.
# Two tables have none: an origin is bound to its event by a commitment, and the rows of `sources`,
# which are many and small, share a sum in the head.

_SUMS = 2**63
_SIGN = 2**31
_encoded = msgspec.msgpack.Encoder().encode


def checksum(table: str, values: Sequence[object]) -> int:
    """The checksum of a row, with `values` in the order of the table's columns.

    It ranges from -2**31 to 2**31 - 1, which SQLite stores in four bytes.
    """
    return (zlib.crc32(_encoded(values), _start(table)) ^ _SIGN) - _SIGN


def checksums(table: str, rows: Iterable[tuple[object, ...]]) -> list[int]:
    """`checksum` for many rows."""
    crc, encoded, start = zlib.crc32, _encoded, _start(table)
    return [(crc(encoded(row), start) ^ _SIGN) - _SIGN for row in rows]


def with_checksum(table: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Complete a row: the values of all columns but the checksum, and the checksum."""
    return (*values, checksum(table, values))


def with_checksums(table: str, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """`with_checksum` for many rows."""
    return [(*values, one) for values, one in zip(rows, checksums(table, rows), strict=True)]


@cache
def _start(table: str) -> int:
    return zlib.crc32(table.encode())


def is_sound(table: str, row: Sequence[Any]) -> bool:
    """Whether a complete row is as it was written; one without a checksum counts as sound."""
    *values, written = row
    return written is None or written == checksum(table, values)


def checked(table: str, row: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a complete row without its checksum.

    Raises LedgerDamagedError if the checksum does not match.
    """
    if not is_sound(table, row):
        message = f"a row of the table {table} is not what was written"
        raise LedgerDamagedError(message)
    *values, _ = row
    return values


def change(
    connection: Connection, table: Table, where: ColumnElement[bool], **values: object
) -> int:
    """Change rows of a table together with their checksums, and return their number.

    Without `values`, only the checksums are written. Raises LedgerDamagedError if a row's checksum
    does not match, because a new one would hide the damage.
    """
    found = connection.execute(select(table).where(where)).fetchall()
    *names, _ = table.c.keys()
    for row in found:
        old = dict(zip(names, checked(table.name, row), strict=True))
        new = old | values
        kept = {**values, CHECKSUM: checksum(table.name, tuple(new.values()))}
        this = (column == old[column.name] for column in table.primary_key)
        connection.execute(update(table).where(*this).values(kept))
    return len(found)


def sum_of_sources(rows: Iterable[tuple[bytes, int]], begun: int = 0) -> int:
    """The sum of `begun` and the CRC-32 of each row of `sources`, modulo 2**63."""
    crc = zlib.crc32
    return (begun + sum(crc(b"%d" % position, crc(digest)) for digest, position in rows)) % _SUMS


def without_sources(total: int, rows: Iterable[tuple[bytes, int]]) -> int:
    """Subtract these rows from a `sum_of_sources`."""
    return (total - sum_of_sources(rows)) % _SUMS


# Conversion between rows of the events table and domain events.

_e = tables.events

INSERT_EVENT = Statement(insert(_e), *_e.c.keys())
"""Takes a whole row, in the order of the table's columns, as `event_row` returns it."""

FOLDED = tuple(_e.c[EventRow._fields])
"""The columns that make an `EventRow`."""

_code_of_decision = case(
    *(
        (_e.c.topic == literal_column(f"'{topic}'"), literal_column(str(code)))
        for topic, code in DECISIONS.items()
    )
)
CODE = func.coalesce(_e.c.kind, _code_of_decision).label("code")
"""The code of an event that is folded by columns, as `ledger.events.DECISIONS` says."""


def folded_event(row: Sequence[Any]) -> EventRow:
    """The `EventRow` of the columns `FOLDED`; raises LedgerDamagedError for other types."""
    position, *_ = row
    with decoding(f"the event at position {position}"):
        event = msgspec.convert(row, EventRow)
        is_decision, is_interaction = event.topic in DECISIONS, event.is_interaction
        if (event.kind is None, event.score is None) != (is_decision, is_interaction):
            raise ValueError
        return event


class EventValues(NamedTuple):
    """The values of an event's row: all columns of the table but the checksum, in its order.

    An event has either typed columns or a `state`.
    """

    position: int
    stream: int
    version: int
    topic: str
    recorded_at: Instant
    issue_id: str | None = None
    kind: int | None = None
    occurred_at: Instant | None = None
    linear_id: str | None = None
    score: float | None = None
    place: int | None = None
    commitment: bytes | None = None
    state: bytes | None = None


def opaque_values(position: int, stream: int, event: Event) -> EventValues:
    """The values of an event whose fields are only in its state, apart from the first columns."""
    topic, version, recorded_at = codec.topic_of(event), event.originator_version, event.recorded_at
    return EventValues(position, stream, version, topic, recorded_at, state=codec.encode(event))


def event_row(values: EventValues) -> tuple[Any, ...]:
    """Complete the row of an event by its checksum."""
    return with_checksum(_e.name, values)


def event_rows(columns: Mapping[str, Iterable[Any]]) -> list[tuple[Any, ...]]:
    """`event_row` for many rows, given as columns by the fields of `EventValues`."""
    rows = zip(*(columns.get(name, repeat(None)) for name in EventValues._fields), strict=False)
    return with_checksums(_e.name, list(rows))


class StoredRow(NamedTuple):
    """A full event as `select_stored` finds it, with the UUIDs of its stream and its place."""

    position: int
    originator_id: bytes
    version: int
    topic: str
    state: bytes
    recorded_at: Instant
    issue_id: IssueId
    kind: int | None
    occurred_at: Instant
    linear_id: str | None
    place: bytes | None
    commitment: bytes | None
    score: float

    @property
    def encoded(self) -> bytes:
        """The canonical state of the event, rebuilt from typed columns if it has them."""
        if self.topic not in TYPED_TOPICS:
            return self.state
        with decoding(f"the event at position {self.position}"):
            return codec.encode(self.event)

    @property
    def event(self) -> FoldedEvent:
        """The domain event of an interaction's or decision's row."""
        with decoding(f"the event at position {self.position}"):
            head = UUID(bytes=self.originator_id), self.version, self.recorded_at, self.issue_id
            if self.topic in DECISIONS:
                return decision_of(self.topic, (*head, self.occurred_at), self.score)
            return InteractionRecorded(
                *head,
                kind=Kind(self.kind or 0),
                occurred_at=self.occurred_at,
                linear_id=self.linear_id,
                place=UUID(bytes=self.place) if self.place else None,
                commitment=self.commitment,
            )


def select_stored() -> Select[Any]:
    """A query of the columns of a `StoredRow`."""
    uuids = {"originator_id": tables.streams.c.originator_id, "place": tables.places.c.place}
    columns = {**_e.c, **uuids}
    return (
        select(*(columns[name] for name in StoredRow._fields))
        .join(tables.streams, tables.streams.c.id == _e.c.stream)
        .outerjoin(tables.places, tables.places.c.id == _e.c.place)
    )


def opaque_event(
    topic: str, position: int, originator: bytes, version: int, state: bytes
) -> tuple[int, Any]:
    """An event whose fields are only in its state, at its position.

    Raises LedgerDamagedError if the state is not that of such an event.
    """
    try:
        return position, codec.decode(topic, stored_uuid(originator), version, state)
    except UnknownTopicError as error:
        message = f"the event at position {position} cannot be read"
        raise LedgerDamagedError(message) from error
