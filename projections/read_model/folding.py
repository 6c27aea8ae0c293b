"""Folding of the ledger's events, hot and sealed: by engagement, or in the order of recording."""

import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, bindparam, func, select

from ledger.archive.reading import FOLDED_COLUMNS, corrected_groups
from ledger.archive.segment_store import Archive
from ledger.events import EventRow
from ledger.segment import events_in
from ledger.store.clock_corrections import corrections
from ledger.store.event_queries import sealed_rows
from ledger.store.rows import FOLDED, folded_event
from ledger.store.segment_rows import segments
from ledger.store.statements import Statement
from ledger.store.tables import events
from projections.read_model.accounts import AFTER_ALL, BEFORE_ALL, bytes_of, somebodys
from projections.read_model.engagement_rows import TableStatements
from projections.read_model.full_fold import hot_partials
from projections.read_model.merging import merged
from projections.read_model.partial_rows import Folded, rows_of
from projections.read_model.tail import FOLDABLE

_RECORDED = Statement(
    select(*FOLDED)
    .where(events.c.position > bindparam("after"), events.c.position <= bindparam("upto"), FOLDABLE)
    .order_by(events.c.position),
    "after",
    "upto",
)
_COUNT = Statement(select(func.count()).select_from(events).where(FOLDABLE))


def folds(
    connection: Connection, archive: Archive, after: str = BEFORE_ALL, upto: str = AFTER_ALL
) -> Iterator[Folded]:
    """Yield every engagement of some accounts folded from its events, hot and sealed.

    They are sorted by account and issue, and of the accounts `after` < account <= `upto`.
    """
    for table in folded_tables(connection, archive, after, upto):
        yield from rows_of(table)


def folded_tables(
    connection: Connection,
    archive: Archive,
    after: str = BEFORE_ALL,
    upto: str = AFTER_ALL,
    through: int = sys.maxsize,
) -> Iterator[pa.Table]:
    """`folds` as partials with the column stream, of events up to a position.

    No event after that position may be sealed.
    """
    known = corrections(connection)
    sealed = (
        corrected_groups(archive, known, segment, FOLDED_COLUMNS, after, upto)
        for segment in segments(connection)
    )
    for table in merged(sealed, [hot_partials(connection, after, upto, through)]):
        yield somebodys(connection, table)


def kept_rows(
    connection: Connection, statements: TableStatements, after: str, upto: str
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table of engagements in the order of `folds`, each after its account.

    An account is given as the 16 bytes of its UUID.
    """
    rows: Iterator[tuple[Any, ...]] = statements.of_accounts.run(
        connection, bytes_of(after), bytes_of(upto)
    )
    return rows


def recorded(connection: Connection, archive: Archive, after: int, upto: int) -> list[EventRow]:
    """The rows for folds of the events at the positions `after` < position <= `upto`."""
    sealed = sealed_rows(connection, archive, after + 1, upto)
    hot = list(map(folded_event, _RECORDED.run(connection, after, upto)))
    return [*sealed, *corrections(connection).of(hot)]


def count(connection: Connection) -> int:
    """An upper limit of the number of events to fold, which may include forgotten users'."""
    hot: int = _COUNT.run(connection).fetchone()[0]
    return hot + events_in(segments(connection))
