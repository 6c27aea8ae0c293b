"""Accounts in the order of their UUIDs: ranges of them, and those that belong to a user."""

from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, and_, bindparam, func, select

from ledger.archive.columns import one_chunk
from ledger.archive.segment_store import LAST
from ledger.store.statements import Statement, stored_uuid
from ledger.store.tables import accounts, events, streams
from projections.columnar import NO, starts_of

BEFORE_ALL, AFTER_ALL = "", LAST
"""Before and after every account's UUID."""

_ENDS = {BEFORE_ALL: b"", AFTER_ALL: b"\xff" * 17}

IN_SPAN = and_(
    streams.c.originator_id > bindparam("after"), streams.c.originator_id <= bindparam("upto")
)
"""The condition for streams after one account and up to another, given by `bytes_of`."""

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
    """The end of a group of accounts with some number of events together, or AFTER_ALL."""
    total = 0
    for originator, version in _VERSIONS.run(connection, bytes_of(after)):
        total += version + 1
        if total >= events_at_least:
            return str(stored_uuid(originator))
    return AFTER_ALL


def somebodys(connection: Connection, table: pa.Table) -> pa.Table:
    """The engagements of a partial without those of forgotten users, with the column stream."""
    known = _with_streams(table, _ACCOUNTS, connection)
    stream = known["stream"].to_numpy()
    return known if stream.min() != NO else known.filter(pa.array(stream != NO))


def numbered(connection: Connection, table: pa.Table) -> pa.Table:
    """All engagements of a partial, including those of forgotten users, with the column stream."""
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
    """The bytes of an account as in the table of streams, or of the limits before and after all."""
    return _ENDS[account] if account in _ENDS else UUID(account).bytes


def before(account: str) -> str:
    """The greatest key that sorts before an account."""
    number = UUID(account).int
    return str(UUID(int=number - 1)) if number else BEFORE_ALL
