"""Checks of single rows: checksums, types, and the order of keys."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Double, Integer, LargeBinary, Table, Text, func, select

from ledger.store import tables
from ledger.store.checksums import is_sound, sum_of_sources
from ledger.store.statements import Statement
from ledger.verification.findings import Finding, truth

TABLES = tables.metadata.sorted_tables
_ALL = {table.name: Statement(select(table)) for table in TABLES}
_COUNTS = [Statement(select(func.count()).select_from(table)) for table in TABLES]
_SUM = Statement(select(tables.head.c.sources_sum))
_AT_ONCE = 5_000
_NUMBERED = ("position", "id", "stream", "first_position")
"""Names of keys that do not identify people, so that a finding may quote their values."""

Row = Sequence[Any]
Progress = Callable[[int], object]
"""Called with the number of rows read since the last call."""


def count_rows(connection: Connection) -> int:
    """The number of rows of truth."""
    return sum(each.run(connection).fetchone()[0] for each in _COUNTS)


def row_findings(connection: Connection, progress: Progress) -> Iterator[Finding]:
    """Check each row of each table."""
    for table in TABLES:
        yield from _findings_in(connection, table, progress)


def _findings_in(connection: Connection, table: Table, progress: Progress) -> Iterator[Finding]:
    has_checksum, is_by_key = tables.CHECKSUM in table.c, _is_stored_by_key(table)
    before: tuple[Any, ...] | None = None
    for number, row in enumerate(_rows(connection, table, progress), start=1):
        key = tuple(row[table.c.keys().index(each.name)] for each in table.primary_key)
        where = _where(table, number, key)
        if has_checksum and not _is_sound(table, row):
            yield truth(table.name, f"{where} is not what was written", _meaning(table))
        elif not all(map(_fits, table.c, row)):
            yield truth(table.name, f"{where} holds values that cannot be there", _meaning(table))
        elif before is not None and is_by_key and not _is_after(before, key):
            yield truth(table.name, f"{where} is not in its order", "rows are not found by key")
        before = key


def source_findings(connection: Connection) -> Iterator[Finding]:
    """Check that the rows of `sources` add up to the sum in the head."""
    (kept,) = _SUM.run(connection).fetchone()
    rows = ((row[0], row[1]) for row in _rows(connection, tables.sources, lambda _: None))
    if kept is not None and sum_of_sources(rows) != kept:
        meaning = "an interaction may be counted twice or not at all when it comes again"
        yield truth("sources", "its rows are not those that were written", meaning)


def _is_stored_by_key(table: Table) -> bool:
    """Whether SQLite stores the rows in the order of the key instead of their arrival."""
    keys = list(table.primary_key)
    is_rowid = len(keys) == 1 and isinstance(keys[0].type, Integer)
    return is_rowid or table.dialect_options["sqlite"]["with_rowid"] is False


def _rows(connection: Connection, table: Table, progress: Progress) -> Iterator[Row]:
    cursor = _ALL[table.name].run(connection)
    while rows := cursor.fetchmany(_AT_ONCE):
        yield from rows
        progress(len(rows))


def _is_sound(table: Table, row: Row) -> bool:
    try:
        return is_sound(table.name, row)
    except UnicodeEncodeError:  # the text was not UTF-8
        return False


def _where(table: Table, number: int, key: tuple[Any, ...]) -> str:
    name, *_ = (each.name for each in table.primary_key)
    value = key[0]
    is_number = name in _NUMBERED and isinstance(value, int)
    return f"the row with the {name} {value}" if is_number else f"row number {number}"


def _meaning(table: Table) -> str:
    match table.name:
        case "events":
            return "answers that count this event may be wrong"
        case "segments" | "retired":
            return "the archive may be misread"
        case "opt_outs":
            return "a user who opted out may be recorded"
        case "origins":
            return "its text or its source may have changed"
        case _:
            return "answers that depend on it may be wrong"


def _fits(column: Any, value: object) -> bool:  # noqa: ANN401 - a column of any type
    if value is None:
        return bool(column.nullable)
    kind = column.type
    if isinstance(kind, Text):
        return _is_text(value)
    if isinstance(kind, LargeBinary):
        return isinstance(value, bytes) and kind.length in {None, len(value)}
    return isinstance(value, float if isinstance(kind, Double) else int)


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    return not any("\ud800" <= each <= "\udfff" for each in value)  # text that was not UTF-8


def _is_after(before: tuple[Any, ...], key: tuple[Any, ...]) -> bool:
    try:
        return before < key
    except TypeError:
        return False
