"""Accounts in the order of their UUIDs: spans of them, and which of them are somebody's."""

from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, and_, bindparam, func, select

from ledger.archive.columns import one_chunk
from ledger.archive.folder import LAST
from ledger.store.decoding import stored_uuid
from ledger.store.statements import Statement
from ledger.store.tables import accounts, events, streams
from projections.columnar import NO, starts_of

BEFORE_ALL, AFTER_ALL = "", LAST
"""Before and after every account's UUID."""

_ENDS = {BEFORE_ALL: b"", AFTER_ALL: b"\xff" * 17}

IN_SPAN = and_(
    streams.c.originator_id > bindparam("after"), streams.c.originator_id <= bindparam("upto")
)
"""What holds of the streams after one account and up to another, as `bytes_of` tells them."""

_IN_SPAN = select(streams.c.originator_id, streams.c.id).where(IN_SPAN)
_STREAMS = Statement(_IN_SPAN, "after", "upto")
_ACCOUNTS = Statement(_IN_SPAN.join(accounts, accounts.c.stream == streams.c.id), "after", "upto")
_last_hot = select(func.max(events.c.version)).where(events.c.stream == streams.c.id)
_VERSIONS = Statement(
    select(streams.c.originator_id, func.coalesce(_last_hot.scalar_subquery(), streams.c.version))
    .where(streams.c.originator_id > bindparam("after"))
    .order_by(streams.c.originator_id),
    "after",
)


def last_account(connection: Connection, after: str, events_at_least: int) -> str:
    """Return where a group of accounts ends that have so many events, or AFTER_ALL."""
    total = 0
    for originator, version in _VERSIONS.run(connection, bytes_of(after)):
        total += version + 1
        if total >= events_at_least:
            return str(stored_uuid(originator))
    return AFTER_ALL


def somebodys(connection: Connection, table: pa.Table) -> pa.Table:
    """Return the engagements of a partial that are not of the forgotten, with the column stream."""
    known = _with_streams(table, _ACCOUNTS, connection)
    stream = known["stream"].to_numpy()
    return known if stream.min() != NO else known.filter(pa.array(stream != NO))


def numbered(connection: Connection, table: pa.Table) -> pa.Table:
    """Return all engagements of a partial, also of the forgotten, with the column stream."""
    return _with_streams(table, _STREAMS, connection)


def _with_streams(table: pa.Table, statement: Statement, connection: Connection) -> pa.Table:
    first, last = (table["account"][row].as_py() for row in (0, len(table) - 1))
    streams_of = dict(statement.run(connection, bytes_of(before(first)), bytes_of(last)))
    account = one_chunk(table["account"])
    starts = starts_of(account.indices.to_numpy())
    whose = account.take(pa.array(starts)).to_pylist()
    numbers = [streams_of.get(bytes_of(each), NO) for each in whose]
    stream = np.repeat(np.array(numbers, np.int64), np.diff(starts, append=len(account)))
    return table.append_column("stream", pa.array(stream))


def bytes_of(account: str) -> bytes:
    """The account as the streams have it; also before and after all of them."""
    return _ENDS[account] if account in _ENDS else UUID(account).bytes


def before(account: str) -> str:
    """What stands before an account and after all others that do."""
    number = UUID(account).int
    return str(UUID(int=number - 1)) if number else BEFORE_ALL
