"""Conversion between rows of the events table and domain events."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, insert, select

from ledger import codec
from ledger.commands import Kind
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
from ledger.store.checksums import with_checksum, with_checksums
from ledger.store.decoding import decoding
from ledger.store.statements import Statement

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
