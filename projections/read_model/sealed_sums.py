"""A count and a checksum of each account's sealed engagements, as they were last certified.

Every certificate compares them with the stored rows, so that certified segments need not be folded
again. The checksum is the sum of the CRC-32 of each row, as MessagePack, modulo 2**63: a sealing
subtracts the rows that it changes, and adds the new ones.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from ledger.store.statements import Statement
from projections.read_model.partial_rows import Row
from projections.read_model.tables import sealed_accounts, sealed_engagements

OTHER_SUM = "the checksum that is kept of a user's sealed engagements is not theirs"

_SUMS = 2**63

_a, _s = sealed_accounts.c, sealed_engagements.c
_FIND = Statement(
    select(_a.engagements, _a.checksum).where(_a.stream == bindparam("stream")), "stream"
)
_INSERT = Statement(insert(sealed_accounts).prefix_with("OR REPLACE"), *_a.keys())
_FORGET = Statement(delete(sealed_accounts).where(_a.stream == bindparam("stream")), "stream")
_CLEAR = Statement(delete(sealed_accounts))
_ROWS_OF = Statement(select(sealed_engagements).where(_s.stream == bindparam("stream")), "stream")
_ALL = Statement(select(sealed_engagements).order_by(_s.stream, _s.issue_id))
_KEPT = Statement(select(sealed_accounts).order_by(_a.stream))
_FIRST = [Statement(select(func.min(each.stream))) for each in (_s, _a)]


class Sum(NamedTuple):
    """The number and the checksum of some rows of sealed engagements."""

    engagements: int = 0
    checksum: int = 0

    def plus(self, rows: Sequence[Row]) -> "Sum":
        """The sum with these rows."""
        return self._add(rows, 1)

    def minus(self, rows: Sequence[Row]) -> "Sum":
        """The sum without these rows."""
        return self._add(rows, -1)

    def _add(self, rows: Sequence[Row], sign: int) -> "Sum":
        crc, encode = zlib.crc32, msgspec.msgpack.encode
        added = sum([crc(encode(row)) for row in rows])
        return Sum(self.engagements + sign * len(rows), (self.checksum + sign * added) % _SUMS)


def kept_sum(connection: Connection, stream: int) -> Sum:
    """The certified sum of an account."""
    row = _FIND.run(connection, stream).fetchone()
    return Sum() if row is None else Sum(*row)


def others(connection: Connection, streams: Iterable[int]) -> Iterator[int]:
    """Yield the accounts whose rows are not what was certified."""
    for stream in streams:
        rows = _ROWS_OF.run(connection, stream).fetchall()
        if Sum().plus(rows) != kept_sum(connection, stream):
            yield stream


def replace(connection: Connection, old: Sequence[Row], new: Sequence[Row]) -> None:
    """Update the sums for rows that are replaced by others; both are sorted by stream."""
    before = {stream: list(rows) for stream, rows in groupby(old, itemgetter(0))}
    sums = [
        (stream, *kept_sum(connection, stream).minus(before.get(stream, [])).plus(list(rows)))
        for stream, rows in groupby(new, itemgetter(0))
    ]
    _INSERT.run_many(connection, sums)


def forget(connection: Connection, stream: int) -> None:
    """Delete the sum of one account."""
    _FORGET.run(connection, stream)


def are_missing(connection: Connection) -> bool:
    """Whether there are sealed engagements but no sums."""
    row, sum_ = (each.run(connection).fetchone()[0] for each in _FIRST)
    return row is not None and sum_ is None


def sum_up(connection: Connection) -> None:
    """Sum up the rows of every account."""
    _CLEAR.run(connection)
    _INSERT.run_many(connection, _summed(connection))


def difference(connection: Connection) -> str | None:
    """A sentence if the rows of an account do not have the stored sum, or None."""
    if are_missing(connection) or _summed(connection) == _KEPT.run(connection).fetchall():
        return None
    return OTHER_SUM


def _summed(connection: Connection) -> list[Row]:
    rows = _ALL.run(connection)
    return [(stream, *Sum().plus(list(group))) for stream, group in groupby(rows, itemgetter(0))]
