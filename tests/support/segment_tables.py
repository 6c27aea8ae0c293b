"""Events as segments have them, made of the histories that the properties quantify over."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa
from hypothesis import strategies as st

from ledger.archive.columns import SCHEMA, coded, event_batch, one_table, uuids
from ledger.events import EventRow
from ledger.instants import Instant
from tests.support import strategies
from tests.support.event_rows import event_row

ACCOUNTS = [UUID(int=number << 120) for number in (0, 7, 8, 255)]
"""By the numbers of their streams; that of all zeros and that of the highest byte among them."""

any_linear_ids = st.none() | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=3
)
"""Texts whose order is not that of any language, and differs between UTF-16 and code points."""


def table_of(rows: Iterable[Sequence[Any]]) -> pa.Table:
    """The table of events, in the order of `rows`, which say of each:

    account, issue, occurred_at, position, version, recorded_at, kind, linear_id, score, place and
    commitment; account and place as the 16 bytes of their UUIDs.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    for number in (0, -2):  # the account and the place
        columns[number] = coded(uuids(columns[number]))
    return one_table([pa.Table.from_batches([event_batch(*columns)], SCHEMA)])


def row_of(event: EventRow, version: int = 0, *rest: Any) -> tuple[Any, ...]:
    """An event as `table_of` takes it, at no place and without a commitment unless they follow."""
    place, commitment = rest or (None, None)
    return (
        ACCOUNTS[event.stream].bytes,
        event.issue_id,
        event.occurred_at,
        event.position,
        version,
        event.recorded_at,
        event.kind,
        event.linear_id,
        event.score,
        place,
        commitment,
    )


@st.composite
def histories(draw: st.DrawFn, min_size: int = 0, max_size: int = 30) -> list[EventRow]:
    """Histories of a few accounts, whose Linear ids are any texts."""
    rows = draw(strategies.event_rows(streams=3, min_size=min_size, max_size=max_size))
    return [
        row if row.kind is None else row._replace(linear_id=draw(any_linear_ids)) for row in rows
    ]


@st.composite
def segment_rows(draw: st.DrawFn, min_size: int = 1, max_size: int = 12) -> list[tuple[Any, ...]]:
    """Events that say anything that an event can, by position, as `table_of` takes them."""
    number = draw(st.integers(min_size, max_size))
    gaps = st.lists(st.sampled_from([1, 1, 2, 1000]), min_size=number, max_size=number)
    position, rows = draw(st.sampled_from([0, 10**6, 10**15])), []
    for gap in draw(gaps):
        position += gap
        kind = draw(st.none() | strategies.kinds.map(int))
        event = event_row(
            position,
            draw(st.integers(0, len(ACCOUNTS) - 1)),
            draw(strategies.issue_ids | st.text("!~AZ09-", min_size=1, max_size=50)),
            kind,
            draw(strategies.instants | strategies.any_instants),
            None if kind is None else draw(any_linear_ids),
            draw(strategies.scores) if kind is None else None,
            draw(strategies.instants | strategies.any_instants),
        )
        place = draw(st.none() | st.sampled_from([UUID(int=1).bytes, UUID(int=2**127).bytes]))
        commitment = draw(st.none() | st.binary(min_size=32, max_size=32))
        version = draw(st.sampled_from([0, 1, 70_000, 2**31 - 1]))
        rows.append(row_of(event, version, place, commitment))
    return rows


def table(events: Sequence[EventRow]) -> pa.Table:
    """The table of events, in the order given."""
    return table_of(row_of(each) for each in events)


def at(seconds: float) -> Instant:
    """The instant some seconds after noon."""
    return Instant(int(strategies.NOON + seconds * 1_000_000))
