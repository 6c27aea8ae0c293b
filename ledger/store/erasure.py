"""Erasure: everything that links events to a person is deleted; the events stay (R11).

First the rows, in one transaction; then the bytes. `secure_delete` zeroes what a statement deletes,
but not the copies that SQLite leaves behind when it moves rows between pages, nor the log. So the
file is rewritten from the remaining rows, and the log is cut.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, select

from ledger import store
from ledger.errors import LedgerUnavailableError, TracesLeftError
from ledger.instants import Instant
from ledger.store import tables
from ledger.store.checksums import change, without_sources
from ledger.store.database import Database
from ledger.store.head import Head
from ledger.store.opt_outs import OptOuts
from ledger.store.projection import Projection

if TYPE_CHECKING:
    from ledger.archive.segment_store import Archive

_accounts, _places = tables.accounts, tables.places
_origins, _sources = tables.origins, tables.sources


def erase(
    database: Database, projection: Projection, secret: bytes, user_id: str, at: Instant
) -> None:
    """Delete the data of the user, and bar what occurred before `at` for ever.

    Raises TracesLeftError if the rows were deleted but bytes of them may be left; calling it again
    finishes the work, also after a crash. `secret` is the ledger's digest key.
    """
    with database.write() as connection:
        opt_outs = OptOuts(connection, secret, database.barriers)
        deleted = delete_user(connection, database.archive, projection, user_id)
        opt_outs.erase(user_id, at, traces=deleted)
        has_traces = opt_outs.has_traces(user_id)
    if not has_traces:
        return  # requests without effect must not cause the file to be rewritten
    remove_traces(database)
    with database.write() as connection:
        OptOuts(connection, secret, database.barriers).clear_traces(user_id)


def remove_traces(database: Database) -> None:
    """Remove every byte of deleted rows from the database's files; raises TracesLeftError."""
    try:
        database.vacuum()
        database.truncate_log()
    except LedgerUnavailableError as error:
        raise TracesLeftError(str(error)) from error


def delete_user(
    connection: Connection, archive: "Archive", projection: Projection, user_id: str
) -> bool:
    """Delete the user's rows and return whether there were any."""
    sealed = store.event_queries.sealed_positions_of(connection, archive, user_id)
    stream = connection.scalar(select(_accounts.c.stream).where(_accounts.c.user_id == user_id))
    if stream is not None:
        hot = select(tables.events.c.position).where(tables.events.c.stream == stream)
        for positions in (hot, _listed(sealed)):
            connection.execute(delete(_origins).where(_origins.c.position.in_(positions)))
            _delete_sources(connection, positions)
        projection.forget(connection, stream)
        connection.execute(delete(_accounts).where(_accounts.c.stream == stream))
    # A private chat's id is the user's.
    private = change(connection, _places, _places.c.chat_id == user_id, chat_id=None)
    return bool(private) or stream is not None


def _delete_sources(connection: Connection, positions: Select[Any]) -> None:
    gone = delete(_sources).where(_sources.c.position.in_(positions))
    rows = [(row[0], row[1]) for row in connection.execute(gone.returning(*_sources.c))]
    head = Head.read(connection)
    if head.sources_sum is not None:
        head.sources_sum = without_sources(head.sources_sum, rows)
        head.write(connection)


def _listed(positions: Sequence[int]) -> Select[Any]:
    """A subquery of positions, which may be more than a statement can have parameters."""
    listed = msgspec.json.encode(positions).decode()
    return select(func.json_each(listed).table_valued("value").c.value)
