"""Rows of truth: their checksums, and rows of the events table as the events they say."""

import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, Table, insert, select, update

from ledger import codec
from ledger.commands import Kind
from ledger.errors import LedgerDamagedError
from ledger.events import (
    OVERRIDE,
    SEALED_TOPICS,
    EventRow,
    FoldedEvent,
    InteractionRecorded,
    ScoreOverridden,
)
from ledger.instants import Instant
from ledger.store import tables
from ledger.store.statements import Statement, decoding
from ledger.store.tables import CHECKSUM

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
    return row[-1] is None or row[-1] == checksum(table, row[:-1])


def checked(table: str, row: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a complete row without its checksum.

    Raises LedgerDamagedError if the checksum does not match.
    """
    if not is_sound(table, row):
        message = f"a row of the table {table} is not what was written"
        raise LedgerDamagedError(message)
    return row[:-1]


def change(
    connection: Connection, table: Table, where: ColumnElement[bool], **values: object
) -> int:
    """Change rows of a table together with their checksums, and return their number.

    Without `values`, only the checksums are written. Raises LedgerDamagedError if a row's checksum
    does not match, because a new one would hide the damage.
    """
    found = connection.execute(select(table).where(where)).fetchall()
    names = table.c.keys()[:-1]
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

FOLDED = (
    _e.c.position,
    _e.c.stream,
    _e.c.issue_id,
    _e.c.kind,
    _e.c.occurred_at,
    _e.c.linear_id,
    _e.c.score,
    _e.c.recorded_at,
)
"""The columns that make an `EventRow`."""


def folded_event(row: Sequence[Any]) -> EventRow:
    """The `EventRow` of the columns `FOLDED`; raises LedgerDamagedError for other types."""
    with decoding(f"the event at position {row[0]}"):
        event = msgspec.convert(row, EventRow)
        if (event.kind is None) == (event.score is None):
            raise ValueError
        return event


def event_row(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Complete a row of an event: the values of all columns but the checksum, and the checksum."""
    return with_checksum(_e.name, values)


def event_rows(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """`event_row` for many rows."""
    return with_checksums(_e.name, list(rows))


def opaque_row(head: tuple[int, int, int, str, Instant], state: bytes) -> tuple[Any, ...]:
    """The row of an event whose fields are only in its state, apart from the head.

    The head is position, stream, version, topic and recorded_at.
    """
    return event_row((*head, *(None,) * 7, state))


def select_stored() -> Select[Any]:
    """A query of full events, in the form that `stored_state` reads."""
    return (
        select(
            _e.c.position,
            tables.streams.c.originator_id,
            _e.c.version,
            _e.c.topic,
            _e.c.state,
            _e.c.recorded_at,
            _e.c.issue_id,
            _e.c.kind,
            _e.c.occurred_at,
            _e.c.linear_id,
            tables.places.c.place,
            _e.c.commitment,
            _e.c.score,
        )
        .join(tables.streams, tables.streams.c.id == _e.c.stream)
        .outerjoin(tables.places, tables.places.c.id == _e.c.place)
    )


def stored_state(row: Sequence[Any]) -> bytes:
    """The state of a stored event, rebuilt from typed columns if it has them."""
    topic: str = row[3]
    if topic in SEALED_TOPICS:
        event = event_of(row)
        with decoding(f"the event at position {row[0]}"):
            return codec.encode(event)
    state: bytes = row[4]
    return state


def event_of(row: Sequence[Any]) -> FoldedEvent:
    """The domain event of an interaction's or override's row."""
    _, originator, version, topic, _, recorded_at, issue_id, kind, occurred_at, *rest = row
    linear_id, place, commitment, score = rest
    with decoding(f"the event at position {row[0]}"):
        account = UUID(bytes=originator)
        if topic == OVERRIDE:
            return ScoreOverridden(account, version, recorded_at, issue_id, occurred_at, score)
        return InteractionRecorded(
            originator_id=account,
            originator_version=version,
            recorded_at=recorded_at,
            issue_id=issue_id,
            kind=Kind(kind),
            occurred_at=occurred_at,
            linear_id=linear_id,
            place=UUID(bytes=place) if place else None,
            commitment=commitment,
        )
