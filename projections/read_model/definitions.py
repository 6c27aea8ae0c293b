"""The definitions in the database of everything derived, compared with those of a new ledger."""

from collections import Counter
from collections.abc import Iterator
from functools import cache

import sqlalchemy
from sqlalchemy import Connection

from ledger.verification.file_checks import Objects, objects_in
from projections.read_model.catalog import BY, PREFIX, VIEW, besides
from projections.read_model.tables import engagements, issue_engagements, metadata

Definitions = Counter[tuple[str, str | None]]
"""The kinds and the SQL of a table, its indexes and its triggers; some indexes have no SQL."""


def difference_of_view(connection: Connection) -> str | None:
    """The difference of the view from the one of a new ledger, if any."""
    is_there = objects_in(connection).get(VIEW) == _expected().get(VIEW)
    return None if is_there else "the view is missing or has another definition"


def different_tables(connection: Connection) -> Iterator[str]:
    """Yield the derived tables of which a definition, an index or a trigger is another one."""
    found = objects_in(connection)
    for name in metadata.tables:
        if _of_table(found, name) != _of_table(_expected(), name):
            yield name


def different_replays(connection: Connection) -> Iterator[str]:
    """Yield the names of read models beside the live one of which the same is true."""
    found, expected = objects_in(connection), _of_table(_expected(), engagements.name)
    for each in besides(connection):
        if _of_table(found, PREFIX + each.name) != expected:
            yield each.name


def _of_table(objects: Objects, table: str) -> Definitions:
    """The definitions of a table and what belongs to it, as if it had never been renamed."""
    return Counter(
        (str(kind), _unnamed(sql, name, table))
        for name, (kind, of_table, sql) in objects.items()
        if of_table == table and name != VIEW
    )


def _unnamed(sql: str | None, name: str, table: str) -> str | None:
    """SQL without quotes, the name of its table and the first part of the name of an index.

    Both change when a read model becomes the live one; a name is in quotes since then.
    """
    if sql is None:
        return None
    _, by, rest = name.partition(BY)
    plain = sql.replace('"', "")
    plain = plain.replace(f"INDEX {name} ", f"INDEX {by}{rest} ", 1) if by else plain
    return plain.replace(f"TABLE {table} ", "TABLE ", 1).replace(f" ON {table} ", " ON ", 1)


@cache
def _expected() -> Objects:
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(issue_engagements)
        found = objects_in(connection)
    engine.dispose()
    return found
