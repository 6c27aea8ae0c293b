"""The tables of read models beside the live one: making, listing, swapping and dropping them."""

import re
from functools import cache
from itertools import chain, count
from typing import NamedTuple

from sqlalchemy import Connection, MetaData, Table, delete, insert, inspect, select, text, update

from ledger.errors import InvalidReplayError, UnknownReplayError
from ledger.store.statements import Statement
from projections.views.table_statements import TableStatements
from projections.views.tables import (
    comparison,
    engagement_table,
    engagements,
    issue_engagements,
    metadata,
    replays,
    sealed_engagements,
    written,
)

PREVIOUS = "previous"
"""The name of the read model that was the live one before the last switch."""

_VIEW = "issue_engagements"
_PLAIN_INDEXES = text(
    "SELECT name FROM sqlite_master"
    " WHERE type = 'index' AND tbl_name = :table AND sql LIKE '%(last_at)'"
)
"""Asked as SQLite has it: the inspector passes over an index of an expression, with a warning."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_PREFIX = "replay_"
_SWAPPING = f"{_PREFIX}0"  # no replay's: names begin with a letter

_BESIDES = Statement(select(replays).order_by(replays.c.name))


class Beside(NamedTuple):
    """A read model beside the live one, and how far it has come.

    `identical` tells how the last comparison with the live one ended; None before there was one.
    """

    name: str
    position: int = 0
    policy_version: int = 1
    identical: bool | None = None


def checked(name: str) -> str:
    """Return `name`, or raise InvalidReplayError where no replay can be called so."""
    if not _NAME.fullmatch(name):
        reason = "is a small letter, and then up to 30 small letters, digits and underscores"
        raise InvalidReplayError(reason)
    if name == PREVIOUS:
        raise InvalidReplayError("cannot be previous: that is the one before the last switch")
    return name


@cache
def statements_of(name: str) -> TableStatements:
    """Return the statements on the table of the read model of that name."""
    return TableStatements(_table_of(name))


def besides(connection: Connection) -> list[Beside]:
    """Return all read models beside the live one, by name."""
    return [_read(*row) for row in _BESIDES.run(connection).fetchall()]


def find(connection: Connection, name: str) -> Beside | None:
    """Return the read model of that name, if there is one."""
    return next((each for each in besides(connection) if each.name == name), None)


def known(connection: Connection, name: str) -> Beside:
    """Return the read model of that name, or raise UnknownReplayError."""
    found = find(connection, name)
    if found is None:
        raise UnknownReplayError(name)
    return found


def create(connection: Connection, beside: Beside) -> None:
    """Make a read model that holds nothing yet."""
    _table_of(beside.name, _free_index_names(connection)).create(connection)
    connection.execute(insert(replays).values(beside._asdict()))


def note(connection: Connection, beside: Beside) -> None:
    """Write how far a read model has come."""
    change = update(replays).where(replays.c.name == beside.name)
    connection.execute(change.values(beside._asdict()))


def drop(connection: Connection, name: str) -> None:
    """Drop a read model."""
    _table_of(name).drop(connection)
    connection.execute(delete(replays).where(replays.c.name == name))


def begin_anew(connection: Connection) -> None:
    """Empty every read model beside the live one, so that it is folded from the first event on."""
    for each in besides(connection):
        connection.execute(delete(_table_of(each.name)))
        note(connection, each._replace(position=0, identical=None))


def swap(connection: Connection, beside: Beside) -> None:
    """Make `beside`, which holds all events, the live one, and the live one the previous one.

    What was the previous one before is dropped, unless it is that which becomes the live one.
    """
    connection.execute(text(f"DROP VIEW {_VIEW}"))
    _rename(connection, engagements.name, _SWAPPING)
    _rename(connection, _PREFIX + beside.name, engagements.name)
    connection.execute(delete(replays).where(replays.c.name == beside.name))
    if find(connection, PREVIOUS):
        drop(connection, PREVIOUS)
    _rename(connection, _SWAPPING, _PREFIX + PREVIOUS)
    former = beside._replace(name=PREVIOUS, identical=None)
    connection.execute(insert(replays).values(former._asdict()))
    connection.execute(issue_engagements)
    connection.execute(delete(comparison))  # that was with another table


def missing(connection: Connection) -> list[Table]:
    """Return the derived tables that are not there, or of another form."""
    inspector = inspect(connection)
    names = inspector.get_table_names()

    def is_there(table: Table) -> bool:
        columns = inspector.get_columns(table.name) if table.name in names else []
        return [each["name"] for each in columns] == list(table.c.keys())

    return [table for table in metadata.sorted_tables if not is_there(table)]


def is_view_present(connection: Connection) -> bool:
    """Tell whether the view is there, in its present form."""
    inspector = inspect(connection)
    if _VIEW not in inspector.get_view_names():
        return False
    return inspector.get_view_definition(_VIEW) == issue_engagements.text


def make_view_anew(connection: Connection) -> None:
    """Make the view anew, and with it the indexes that answer what is asked of it."""
    connection.execute(text(f"DROP VIEW IF EXISTS {_VIEW}"))
    for name in (engagements.name, *(_PREFIX + each.name for each in besides(connection))):
        for index in connection.scalars(_PLAIN_INDEXES, {"table": name}).all():
            connection.execute(text(f"DROP INDEX {index}"))
            connection.execute(text(f"CREATE INDEX {index} ON {name} ({written('last_at')})"))
    connection.execute(issue_engagements)


def make(connection: Connection, lost: list[Table]) -> None:
    """Make the tables that were lost anew, and empty."""
    if engagements in lost or replays in lost:
        _drop_all(connection)
    if engagements in lost:
        connection.execute(text(f"DROP VIEW IF EXISTS {_VIEW}"))
    metadata.drop_all(connection, lost)
    metadata.create_all(connection, lost)
    if engagements in lost:
        connection.execute(issue_engagements)
        for table in (replays, comparison):
            connection.execute(delete(table))


def empty_live(connection: Connection) -> None:
    """Replace the live tables by empty ones.

    Deleting the rows would fail if an index is damaged.
    """
    connection.execute(text("DROP VIEW IF EXISTS issue_engagements"))
    metadata.drop_all(connection, [engagements, sealed_engagements, comparison])
    engagement_table(MetaData(), engagements.name, _free_index_names(connection)).create(connection)
    metadata.create_all(connection, [sealed_engagements, comparison])
    connection.execute(issue_engagements)


def _drop_all(connection: Connection) -> None:
    """Drop the tables of all read models beside, also of those that are not noted any more."""
    for name in inspect(connection).get_table_names():
        if name.startswith(_PREFIX):
            connection.execute(text(f"DROP TABLE {name}"))


def _table_of(name: str, indexes: str = "") -> Table:
    return engagement_table(MetaData(), _PREFIX + name, indexes)


def _free_index_names(connection: Connection) -> str:
    """Return how the names of the indexes begin that a new table can have.

    After a switch the live one has the indexes that it was made with.
    """
    taken = set(connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'index'")))
    names = chain([engagements.name], (f"{engagements.name}_{number}" for number in count(2)))
    return next(each for each in names if f"{each}_by_issue" not in taken)


def _rename(connection: Connection, old: str, new: str) -> None:
    connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def _read(name: str, position: int, policy_version: int, identical: int | None) -> Beside:
    return Beside(name, position, policy_version, None if identical is None else bool(identical))
