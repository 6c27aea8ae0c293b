"""The tables of read models and their watermarks: creation, listing, swapping and dropping.

One is the live one, which answers questions; others are beside it, for replays.
"""

import re
from functools import cache
from itertools import chain, count
from typing import NamedTuple

from sqlalchemy import (
    Connection,
    MetaData,
    Table,
    column,
    delete,
    insert,
    inspect,
    literal,
    null,
    select,
    table,
    text,
    update,
)
from sqlalchemy.schema import CreateTable

from ledger.errors import InvalidReplayError, LedgerDamagedError, UnknownReplayError
from ledger.store.statements import Statement
from ledger.store.tables import head
from projections.read_model.engagement_rows import LIVE, TableStatements
from projections.read_model.tables import (
    LIVE_NAME,
    OF_ISSUES,
    comparison,
    engagement_table,
    engagements,
    issue_engagements,
    metadata,
    read_models,
    sealed_accounts,
    sealed_engagements,
    written,
)

PREVIOUS = "previous"
"""The name of the read model that was the live one before the last switch."""

NEXT = "next"
"""The name of the one that is filled while the tail is long, and then becomes the live one."""

_RESERVED = {
    NEXT: "cannot be next: that is the read model that is filled while the tail is long",
    PREVIOUS: "cannot be previous: that is the read model before the last switch",
    LIVE_NAME: "cannot be live: that is the read model that answers questions",
}

VIEW = "issue_engagements"
"""The name of the view for SQL from outside."""

_PLAIN_INDEXES = text(
    "SELECT name FROM sqlite_master"
    " WHERE type = 'index' AND tbl_name = :table AND sql LIKE '%(last_at)'"
)
"""Read from SQLite's schema, because the inspector skips an index on an expression, with a warning.
"""

_INDEXES = text("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = :table")
BY = "_by_"
"""Ends, in the name of an index, what all indexes of its table begin with."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
PREFIX = "replay_"
"""Begins the name of the table of a read model beside the live one."""

_SWAPPING = f"{PREFIX}0"  # no replay's: names begin with a letter

_ADD = Statement(insert(read_models), *read_models.c.keys())
_ALL = Statement(select(read_models).order_by(read_models.c.name))
_FORMER = "replays"
"""The table of replays from before watermarks, when each append updated the live one."""


class Watermark(NamedTuple):
    """The position up to which a read model is folded, and the policy by which it is scored.

    `identical` is the result of the last comparison with the live one; None if there was none.
    """

    name: str
    position: int = 0
    policy_version: int = 1
    identical: bool | None = None


def checked(name: str) -> str:
    """Return `name`; raises InvalidReplayError if it is not a valid name of a replay."""
    if not _NAME.fullmatch(name):
        reason = "must be a small letter, then up to 30 small letters, digits and underscores"
        raise InvalidReplayError(reason)
    if name in _RESERVED:
        raise InvalidReplayError(_RESERVED[name])
    return name


@cache
def statements_of(name: str) -> TableStatements:
    """The statements on the table of the read model of that name."""
    return LIVE if name == LIVE_NAME else TableStatements(_table_of(name))


def besides(connection: Connection) -> list[Watermark]:
    """Return all read models beside the live one by name, but for one that is being filled."""
    return [each for each in _watermarks(connection) if each.name not in {LIVE_NAME, NEXT}]


def live(connection: Connection) -> Watermark:
    """The watermark of the live read model."""
    return known(connection, LIVE_NAME)


def find(connection: Connection, name: str) -> Watermark | None:
    """The watermark of the read model of that name, or None."""
    return next((each for each in _watermarks(connection) if each.name == name), None)


def known(connection: Connection, name: str) -> Watermark:
    """The watermark of the read model of that name.

    Raises UnknownReplayError if there is none, LedgerDamagedError if it is the live one's.
    """
    found = find(connection, name)
    if found is not None:
        return found
    if name == LIVE_NAME:
        raise LedgerDamagedError("the watermark of the read model is missing")
    raise UnknownReplayError(name)


def create(connection: Connection, beside: Watermark) -> None:
    """Create an empty read model."""
    _table_of(beside.name, _free_index_names(connection)).create(connection)
    _add(connection, beside)


def create_bare(connection: Connection, beside: Watermark) -> None:
    """Make a read model that holds nothing yet, without indexes."""
    connection.execute(CreateTable(_table_of(beside.name)))
    _add(connection, beside)


def copy_live(connection: Connection, name: str, after: int, upto: int) -> None:
    """Copy the rows of the live read model with the ids `after` < id <= `upto` into another one."""
    of = engagements.c
    rows = select(engagements).where(of.id > after, of.id <= upto).order_by(of.id)
    connection.execute(insert(_table_of(name)).from_select(list(of.keys()), rows))


def create_an_index(connection: Connection, name: str) -> None:
    """Create one of the indexes that a read model of `create_bare` lacks."""
    existing = connection.scalars(_INDEXES, {"table": PREFIX + name}).all()
    names = existing[0].partition(BY)[0] if existing else _free_index_names(connection)
    lacking = (each for each in _table_of(name, names).indexes if each.name not in existing)
    next(lacking).create(connection)


def note(connection: Connection, watermark: Watermark) -> None:
    """Store the watermark of a read model."""
    change = update(read_models).where(read_models.c.name == watermark.name)
    connection.execute(change.values(watermark._asdict()))


def drop(connection: Connection, name: str) -> None:
    """Drop a read model."""
    _table_of(name).drop(connection)
    connection.execute(delete(read_models).where(read_models.c.name == name))


def drop_next(connection: Connection) -> None:
    """Drop what is being filled, or was by a process that was killed, if there is such a one."""
    if find(connection, NEXT):
        drop(connection, NEXT)


def begin_anew(connection: Connection) -> None:
    """Empty every read model beside the live one, so that each is folded from the first event."""
    for each in besides(connection):
        connection.execute(delete(_table_of(each.name)))
        note(connection, each._replace(position=0, identical=None))


def swap(connection: Connection, beside: Watermark) -> None:
    """Make `beside`, which has all events, the live one, and the live one the previous one.

    A former previous one is dropped, unless it becomes the live one.
    """
    former = live(connection)
    connection.execute(text(f"DROP VIEW {VIEW}"))
    _rename(connection, engagements.name, _SWAPPING)
    _rename(connection, PREFIX + beside.name, engagements.name)
    connection.execute(delete(read_models).where(read_models.c.name == beside.name))
    if find(connection, PREVIOUS):
        drop(connection, PREVIOUS)
    _rename(connection, _SWAPPING, PREFIX + PREVIOUS)
    note(connection, beside._replace(name=LIVE_NAME, identical=None))
    _add(connection, former._replace(name=PREVIOUS))
    connection.execute(issue_engagements)
    connection.execute(delete(comparison))  # it was with another table


def replace_live(connection: Connection, beside: Watermark) -> None:
    """Make `beside`, which has all events of the live one, the live one, and drop the other."""
    connection.execute(text(f"DROP VIEW {VIEW}"))
    connection.execute(text(f"DROP TABLE {engagements.name}"))
    _rename(connection, PREFIX + beside.name, engagements.name)
    connection.execute(delete(read_models).where(read_models.c.name == beside.name))
    note(connection, beside._replace(name=LIVE_NAME, identical=None))
    connection.execute(issue_engagements)
    connection.execute(delete(comparison))


def missing(connection: Connection) -> list[Table]:
    """The derived tables that are missing, of another form, or without a watermark."""
    inspector = inspect(connection)
    names = inspector.get_table_names()

    def is_there(table: Table) -> bool:
        columns = inspector.get_columns(table.name) if table.name in names else []
        return [each["name"] for each in columns] == list(table.c.keys())

    lost = {table for table in metadata.sorted_tables if not is_there(table)}
    if read_models in lost or find(connection, LIVE_NAME) is None:
        lost |= {read_models, engagements}
    return [table for table in metadata.sorted_tables if table in lost]


def is_former(connection: Connection) -> bool:
    """Whether the read models are listed as before there were watermarks."""
    names = inspect(connection).get_table_names()
    return _FORMER in names and read_models.name not in names


def take_over(connection: Connection) -> None:
    """Note the watermarks of a ledger whose live read model was updated by each append."""
    if is_former(connection):  # another process may have done so meanwhile
        read_models.create(connection)
        names = read_models.c.keys()
        listed = table(_FORMER, *map(column, names))
        last = select(literal(LIVE_NAME), head.c.position, head.c.policy_version, null())
        for each in (last, select(listed).where(listed.c.name != LIVE_NAME)):
            connection.execute(insert(read_models).from_select(names, each))
        for name in (_FORMER, PREFIX + LIVE_NAME):  # names that are now reserved
            connection.execute(text(f"DROP TABLE IF EXISTS {name}"))


def is_view_present(connection: Connection) -> bool:
    """Whether the view exists in its present form."""
    inspector = inspect(connection)
    if VIEW not in inspector.get_view_names():
        return False
    return inspector.get_view_definition(VIEW) == issue_engagements.text


def make_view_anew(connection: Connection) -> None:
    """Recreate the view, and the indexes that its queries need."""
    connection.execute(text(f"DROP VIEW IF EXISTS {VIEW}"))
    for name in (engagements.name, *(PREFIX + each.name for each in besides(connection))):
        for index in connection.scalars(_PLAIN_INDEXES, {"table": name}).all():
            connection.execute(text(f"DROP INDEX {index}"))
            connection.execute(text(f"CREATE INDEX {index} ON {name} ({written('last_at')})"))
    connection.execute(issue_engagements)


def make(connection: Connection, lost: list[Table]) -> None:
    """Create the tables that are missing, empty."""
    if {engagements, read_models} & set(lost):
        _drop_all(connection)
        lost = [*{*lost, read_models, comparison}]
    if engagements in lost:
        connection.execute(text(f"DROP VIEW IF EXISTS {VIEW}"))
    metadata.drop_all(connection, lost)
    metadata.create_all(connection, lost, checkfirst=False)
    if engagements in lost:
        connection.execute(issue_engagements)
    if read_models in lost:
        _add(connection, Watermark(LIVE_NAME))


def empty_live(connection: Connection) -> None:
    """Replace the live tables by empty ones.

    Deleting the rows would fail if an index is damaged.
    """
    connection.execute(text("DROP VIEW IF EXISTS issue_engagements"))
    others = [sealed_engagements, sealed_accounts, comparison, *OF_ISSUES]
    metadata.drop_all(connection, [engagements, *others])
    engagement_table(MetaData(), engagements.name, _free_index_names(connection)).create(connection)
    metadata.create_all(connection, others)
    connection.execute(issue_engagements)


def _drop_all(connection: Connection) -> None:
    """Drop the tables of all read models beside the live one, even unlisted ones."""
    for name in inspect(connection).get_table_names():
        if name.startswith(PREFIX) or name == _FORMER:
            connection.execute(text(f"DROP TABLE {name}"))


def _table_of(name: str, indexes: str = "") -> Table:
    return engagement_table(MetaData(), PREFIX + name, indexes)


def _free_index_names(connection: Connection) -> str:
    """A prefix that the index names of a new table can have.

    After a switch the live table still has the index names that it was created with.
    """
    existing = connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'index'"))
    taken = {name.partition(BY)[0] for name in existing}
    names = chain([engagements.name], (f"{engagements.name}_{number}" for number in count(2)))
    return next(each for each in names if each not in taken)


def _watermarks(connection: Connection) -> list[Watermark]:
    return [_read(*row) for row in _ALL.run(connection).fetchall()]


def _add(connection: Connection, watermark: Watermark) -> None:
    _ADD.run(connection, *watermark)


def _rename(connection: Connection, old: str, new: str) -> None:
    connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def _read(name: str, position: int, policy_version: int, identical: int | None) -> Watermark:
    return Watermark(name, position, policy_version, None if identical is None else bool(identical))
