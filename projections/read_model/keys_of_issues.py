"""The keys of Linear's issues: which issues a key names or named before, by observations.

They are written with the observations, in the same transaction, so they have no watermark.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import Connection, bindparam, func, insert, select

from ledger import store
from ledger.store.database import Database
from ledger.store.statements import Query, Statement, value
from projections.read_model.tables import issue_keys

Named = tuple[str, int, int]
"""A key, the stream of the issue that has or had it, and the position that says so."""

_k = issue_keys.c

TEAM_ISSUES = 200
"""The most issues of a team of which it is read what is usual there."""


def _named(key: str, stream: int, position: int) -> Named:
    return key, stream, position


_INSERT = Statement(insert(issue_keys), *_k.keys())
_POSITION = Query(
    value,
    select(_k.position).where(_k.key == bindparam("key"), _k.stream == bindparam("stream")),
    "key",
    "stream",
)
_STREAMS = Query(
    value, select(_k.stream).where(_k.key == bindparam("key")).order_by(_k.stream), "key"
)
_OF_TEAM = Query(
    value,
    select(_k.stream)
    .where(_k.key >= bindparam("first"), _k.key < bindparam("end"))
    .group_by(_k.stream)
    .order_by(func.max(_k.position).desc(), _k.stream),
    "first",
    "end",
)
_ALL = Query(_named, select(issue_keys).order_by(_k.key, _k.stream))


def note(connection: Connection, keys: Sequence[Named]) -> None:
    """Add the keys of new observations, unless they are there."""
    find = _POSITION.finder(connection)
    new = [(key, stream, at) for key, stream, at in _first(keys) if find(key, stream) is None]
    _INSERT.run_many(connection, new)


def streams_named(connection: Connection, key: str) -> list[int]:
    """The streams of the issues that have or ever had a key."""
    return list(_STREAMS.all(connection, key))


def streams_of_team(connection: Connection, team: str) -> list[int]:
    """The streams of the issues that last got a key of a team: at most TEAM_ISSUES."""
    return list(islice(_OF_TEAM.all(connection, f"{team}-", f"{team}."), TEAM_ISSUES))


def fill(connection: Connection, database: Database) -> None:
    """Add all keys that events name to the empty table."""
    _INSERT.run_many(connection, _said(connection, database))


def difference(connection: Connection, database: Database) -> str | None:
    """The first difference of the table from the events, if any."""
    kept, said = list(_ALL.all(connection)), _said(connection, database)
    if kept == said:
        return None
    key, *_ = min({*kept} ^ {*said})
    return f"the key {key}: the events name other issues for it, or another position"


def _said(connection: Connection, database: Database) -> list[Named]:
    return _first(store.issue_streams.named_keys(connection, database))


def _first(named: Iterable[Named]) -> list[Named]:
    """The first of each key and stream, in the order of the table."""
    first: dict[tuple[str, int], int] = {}
    for key, stream, position in named:
        first[key, stream] = min(position, first.get((key, stream), position))
    return [(*place, position) for place, position in sorted(first.items())]
