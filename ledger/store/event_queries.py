"""Reading of one user's events, or of all users' one after the other: hot and sealed ones."""

from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import chain, groupby, repeat
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pyarrow as pa
from sqlalchemy import Connection, Select, bindparam, select

from ledger import codec
from ledger.archive.columns import SCHEMA
from ledger.archive.corrected import corrected
from ledger.archive.reading import FOLDED_COLUMNS, event_rows, tables_by_account
from ledger.archive.segment_store import Archive
from ledger.events import AccountEvent, EventRow
from ledger.store import tables
from ledger.store.clock_corrections import corrections
from ledger.store.decoding import stored_uuid
from ledger.store.rows import FOLDED, folded_event
from ledger.store.segment_rows import segments
from ledger.store.statements import Statement

_e, _a, _o, _s = tables.events, tables.accounts, tables.origins, tables.streams


def of_user(query: Select[Any]) -> Select[Any]:
    """Restrict a query of events to those of the user `user_id`."""
    return query.join(_a, _a.c.stream == _e.c.stream).where(
        _a.c.user_id == bindparam("user_id"), _e.c.issue_id.is_not(None)
    )


_ACCOUNT = Statement(
    select(_s.c.id, _s.c.originator_id)
    .join(_a, _a.c.stream == _s.c.id)
    .where(_a.c.user_id == bindparam("user_id")),
    "user_id",
)
_ROWS_OF_USER = Statement(of_user(select(*FOLDED)), "user_id")
_ROWS_OF_ISSUE = Statement(
    of_user(select(*FOLDED)).where(_e.c.issue_id == bindparam("issue")), "user_id", "issue"
)
_ORIGIN = Statement(
    select(_o.c.context, _o.c.metadata, _o.c.source).where(_o.c.position == bindparam("position")),
    "position",
)
_ROWS_BY_ACCOUNT = Statement(
    select(_s.c.originator_id, *FOLDED)
    .join(_s, _s.c.id == _e.c.stream)
    .join(_a, _a.c.stream == _e.c.stream)
    .where(_e.c.issue_id.is_not(None))
    .order_by(_s.c.originator_id)
)
_USER = Statement(
    select(_a.c.stream, _a.c.user_id, _a.c.display_name)
    .join(_s, _s.c.id == _a.c.stream)
    .where(_s.c.originator_id == bindparam("originator")),
    "originator",
)


class HistoryEntry(NamedTuple):
    """An event at its position, with its effective instants and its origin, if not deleted."""

    position: int
    event: AccountEvent
    origin: codec.Origin


class UserRows(NamedTuple):
    """The rows for folds of one user's events, in no particular order."""

    user_id: str
    display_name: str | None
    rows: list[EventRow]


def account_of(connection: Connection, user_id: str) -> tuple[int, str] | None:
    """The number and the UUID of the user's account, or None."""
    row = _ACCOUNT.run(connection, user_id).fetchone()
    return None if row is None else (row[0], str(stored_uuid(row[1])))


def rows_of_user(
    connection: Connection, archive: Archive, user_id: str, issue_id: str | None = None
) -> list[EventRow]:
    """The rows for folds of the user's events, of one issue or all, in no particular order."""
    rows, known = hot_rows_of_user(connection, user_id, issue_id), corrections(connection)
    for stream, table in _sealed(connection, archive, user_id, issue_id, FOLDED_COLUMNS):
        rows += event_rows(corrected(table, known), repeat(stream))
    return rows


def sourced_rows_of_issue(
    connection: Connection, archive: Archive, user_id: str, issue_id: str
) -> list[tuple[EventRow, str | None]]:
    """The rows for folds of the user's events with one issue, each with its readable source.

    They are in no particular order; the source is None if there is none, or it was deleted.
    """
    rows = rows_of_user(connection, archive, user_id, issue_id)
    origin_of = origins_of(connection)
    return [(row, origin_of(row.position).source) for row in rows]


def hot_rows_of_user(
    connection: Connection, user_id: str, issue_id: str | None = None
) -> list[EventRow]:
    """The hot ones of `rows_of_user`."""
    if issue_id is None:
        hot = _ROWS_OF_USER.run(connection, user_id)
    else:
        hot = _ROWS_OF_ISSUE.run(connection, user_id, issue_id)
    return corrections(connection).of([*map(folded_event, hot)])


def rows_by_user(connection: Connection, archive: Archive) -> Iterator[UserRows]:
    """Yield every user who has events, one in memory at a time, by account."""
    sealed = (tables_by_account(archive, segment) for segment in segments(connection))
    find, known = _USER.finder(connection), corrections(connection)
    parts = merge(_hot_by_account(connection), *sealed, key=itemgetter(0))
    for account, tables_of_account in groupby(parts, key=itemgetter(0)):
        user = find(UUID(account).bytes)
        if user is not None:
            stream, user_id, display_name = user
            rows = chain.from_iterable(
                event_rows(part, repeat(stream)) if isinstance(part, pa.Table) else part
                for _, part in tables_of_account
            )
            yield UserRows(user_id, display_name, known.of(list(rows)))


def sealed_positions_of(connection: Connection, archive: Archive, user_id: str) -> list[int]:
    """The positions of the user's events that are in segments."""
    parts = _sealed(connection, archive, user_id, columns=("position",))
    return [position for _, table in parts for position in table["position"].to_pylist()]


def _sealed(
    connection: Connection,
    archive: Archive,
    user_id: str,
    issue_id: str | None = None,
    columns: Sequence[str] = SCHEMA.names,
) -> Iterator[tuple[int, pa.Table]]:
    """Yield the user's events of each segment, and the number of the account."""
    found = account_of(connection, user_id)
    if found is not None:
        stream, account = found
        for segment in segments(connection):
            yield stream, archive.read_account(segment, account, issue_id, columns)


def _hot_by_account(connection: Connection) -> Iterator[tuple[str, list[EventRow]]]:
    for originator, rows in groupby(_ROWS_BY_ACCOUNT.run(connection), key=itemgetter(0)):
        yield str(stored_uuid(originator)), [folded_event(row[1:]) for row in rows]


def origins_of(connection: Connection) -> Callable[[int], codec.Origin]:
    """A function that finds the origin of a position, or None if it has none or was deleted."""
    find = _ORIGIN.finder(connection)

    def origin_of(position: int) -> codec.Origin:
        context, metadata, source = find(position) or (None, None, None)
        return codec.Origin(context, None if metadata is None else msgspec.Raw(metadata), source)

    return origin_of
