"""The latest observation of each issue, so that an unchanged one is known without its history.

They are written with the observations, in the same transaction, so they have no watermark.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select

from ledger import store
from ledger.observations import Latest
from ledger.store.database import Database
from ledger.store.statements import Query, Statement
from projections.read_model.tables import latest_observations

_c = latest_observations.c
_Row = tuple[int, int, int, int | None]


def _row(stream: int, updated_at: int, said_at: int, position: int | None) -> _Row:
    return stream, updated_at, said_at, position


_OF_STREAM = Query(
    Latest,
    select(_c.updated_at, _c.said_at, _c.position).where(_c.stream == bindparam("stream")),
    "stream",
)
_ALL = Query(_row, select(latest_observations).order_by(_c.stream))
_INSERT = Statement(insert(latest_observations), *_c.keys())
_DELETE = Statement(delete(latest_observations).where(_c.stream == bindparam("stream")), "stream")


def of_stream(connection: Connection, stream: int) -> Latest | None:
    """The row of the issue with this stream."""
    return _OF_STREAM.first(connection, stream)


def note(connection: Connection, latest: Mapping[int, Latest]) -> None:
    """Replace the rows of these issues, by stream."""
    _DELETE.run_many(connection, [(stream,) for stream in latest])
    _INSERT.run_many(connection, [(stream, *each) for stream, each in latest.items()])


def fill(connection: Connection, database: Database) -> None:
    """Add the rows of all issues to the empty table."""
    _INSERT.run_many(connection, _said(connection, database))


def difference(connection: Connection, database: Database) -> str | None:
    """The first difference of the table from the events, if any."""
    kept, said = set(_ALL.all(connection)), set(_said(connection, database))
    if kept == said:
        return None
    stream = min(stream for stream, *_ in kept ^ said)
    return f"the issue of stream {stream}: the events say otherwise"


def _said(connection: Connection, database: Database) -> list[_Row]:
    latest = store.issue_streams.latest_of(connection, database)
    return [(stream, *each) for stream, each in sorted(latest.items())]
