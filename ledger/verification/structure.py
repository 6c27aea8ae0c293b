"""SQLite's own integrity checks, and a comparison of the schema with a ledger's."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import sqlalchemy
from sqlalchemy import Connection

from ledger.store import schema, tables
from ledger.verification.findings import Finding, derived, of_replay, truth

_MOST_ERRORS = 100
_OBJECTS = "SELECT name, type, tbl_name, sql FROM sqlite_master"
_REPLAY = "replay_"  # followed by the name of a read model beside the live one
_MISREAD = "answers from it may be wrong"

Objects = dict[str, tuple[Any, ...]]
"""Type, table and SQL of tables, indexes, triggers and views, by name."""


def integrity_findings(connection: Connection) -> Iterator[Finding]:
    """Let SQLite check pages, indexes against tables, and references between tables."""
    errors = _pragma(connection, f"integrity_check({_MOST_ERRORS})")
    if errors != [("ok",)]:
        yield from _blamed(connection, str(errors[0][0]).splitlines()[-1], len(errors))
    nowhere = _pragma(connection, "foreign_key_check")
    for table in sorted({str(row[0]) for row in nowhere}):
        count = sum(row[0] == table for row in nowhere)
        yield _of(table, f"{count} of its rows refer to rows that do not exist")


def _blamed(connection: Connection, first: str, count: int) -> Iterator[Finding]:
    """Yield a finding for each damaged table, or else one for the file as a whole."""
    names = [name for name, (kind, *_) in objects_in(connection).items() if kind == "table"]
    bad = [each for each in sorted(names) if not is_whole(connection, each)]
    for each in bad:
        yield _of(each, "its pages or its indexes are damaged")
    if not bad:
        what = f"SQLite finds {count} errors, first: {_harmless(first)}"
        yield truth("the database's file", what, "further writes may damage more")


def is_whole(connection: Connection, table: str) -> bool:
    """Whether SQLite finds the pages and indexes of a table sound."""
    quoted = table.replace("'", "''")
    return _pragma(connection, f"integrity_check('{quoted}')") == [("ok",)]


def _harmless(message: str) -> str:
    """SQLite's message without characters that it may have quoted from the file."""
    return re.sub(r"[^A-Za-z0-9 .,:()_-]", "?", message)[:100]


def _of(table: str, what: str) -> Finding:
    if table in tables.metadata.tables:
        return truth(table, what, _MISREAD)
    if table.startswith(_REPLAY):
        return of_replay(table.removeprefix(_REPLAY), what)
    return derived(table, what)


def schema_findings(connection: Connection) -> Iterator[Finding]:
    """Check that the tables and triggers of truth are those of this schema's version."""
    found = objects_in(connection)
    for name, expected in _expected().items():
        if found.get(name) != expected:
            kind, table, _ = expected
            is_there = "is not the one that it should be" if name in found else "is missing"
            meaning = "the database may accept what it should refuse"
            yield truth(str(table), f"the {kind} {name} {is_there}", meaning)


def objects_in(connection: Connection) -> Objects:
    """The objects of the database's schema, by type and name."""
    cursor = connection.connection.cursor()
    rows: Sequence[Any] = cursor.execute(_OBJECTS).fetchall()
    return {name: (kind, table, normal(sql)) for name, kind, table, sql in rows}


def normal(sql: str | None) -> str | None:
    """SQL with normalized white space, in which an upgraded ledger may differ."""
    return None if sql is None else " ".join(str(sql).split())


@cache
def _expected() -> Objects:
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.begin() as connection:
        schema.create(connection)
        found = objects_in(connection)
    engine.dispose()
    return found


def _pragma(connection: Connection, pragma: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]]
    found = connection.connection.cursor().execute(f"PRAGMA {pragma}").fetchall()
    return found
