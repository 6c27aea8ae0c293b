"""Checksums for rows of older versions, after a verification found no damage."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, select, tuple_, update

from ledger.store import tables
from ledger.store.checksums import checksum, sum_of_sources
from ledger.store.database import Database
from ledger.store.head import Head
from ledger.store.statements import Statement

FILLED_AT_ONCE = 4_000
"""Rows per transaction, which bounds how long others wait to record."""

CHECKED = [table for table in tables.metadata.sorted_tables if tables.CHECKSUM in table.c]
_SOURCES = Statement(select(tables.sources))

Progress = Callable[[int], object]
"""Called after each transaction with the number of rows that got a checksum."""


def count_unverified(connection: Connection) -> int:
    """The number of rows of truth without a checksum."""
    counts = (select(func.count()).where(table.c.checksum.is_(None)) for table in CHECKED)
    missing = sum(connection.scalar(each) or 0 for each in counts)
    return missing + _unsummed(connection)


def fill(database: Database, progress: Progress = lambda _: None) -> int:
    """Write the missing checksums, and return their number.

    Only for a ledger in which no damage was found. After an interruption, the next call continues.
    """
    filled = sum(_fill_table(database, table, progress) for table in CHECKED)
    with database.write() as connection:
        unsummed = _unsummed(connection)
        if unsummed:
            head = Head.read(connection)
            head.sources_sum = sum_of_sources((row[0], row[1]) for row in _SOURCES.run(connection))
            head.write(connection)
    progress(unsummed)
    return filled + unsummed


def _unsummed(connection: Connection) -> int:
    """The number of rows of `sources` that the sum does not cover."""
    if connection.scalar(select(tables.head.c.sources_sum)) is not None:
        return 0
    return connection.scalar(select(func.count()).select_from(tables.sources)) or 0


def _fill_table(database: Database, table: Table, progress: Progress) -> int:
    key = list(table.primary_key)
    order = tuple_(*key)
    this = [column == bindparam(f"{column.name}_") for column in key]
    change = update(table).where(*this).values(checksum=bindparam("checksum_"))
    filled, after, count = 0, None, FILLED_AT_ONCE
    while count == FILLED_AT_ONCE:
        query = select(table).where(table.c.checksum.is_(None)).order_by(*key)
        if after is not None:
            query = query.where(order > after)
        with database.write() as connection:
            rows = connection.execute(query.limit(FILLED_AT_ONCE)).fetchall()
            new = [_change_of(table, row) for row in rows]
            if new:
                connection.execute(change, new)
        count, filled = len(rows), filled + len(rows)
        after = tuple(new[-1][f"{column.name}_"] for column in key) if new else None
        progress(count)
    return filled


def _change_of(table: Table, row: Sequence[Any]) -> dict[str, Any]:
    values = dict(zip(table.c.keys(), row, strict=True))
    kept = {f"{column.name}_": values[column.name] for column in table.primary_key}
    return kept | {"checksum_": checksum(table.name, row[:-1])}
