"""Checksums: four bytes in each row of truth, to detect damage.

A checksum is the CRC-32 of the table's name and all other columns in order, encoded as MessagePack,
so that a value's type counts too. It is written with the row and with each update. Two tables have
none: an origin is bound to its event by a commitment, and the rows of `sources`, which are many and
small, share a sum in the head.
"""

import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, select, update

from ledger.errors import LedgerDamagedError
from ledger.store.tables import CHECKSUM

_SUMS = 2**63
_SIGN = 2**31
_encoded = msgspec.msgpack.Encoder().encode


def checksum(table: str, values: Sequence[object]) -> int:
    """The checksum of a row, with `values` in the order of the table's columns.

    It ranges from -2**31 to 2**31 - 1, which SQLite stores in four bytes.
    """
    return (zlib.crc32(_encoded(values), _start(table)) ^ _SIGN) - _SIGN


def checksums(table: str, rows: Iterable[tuple[object, ...]]) -> list[int]:
    """`checksum` for many rows."""
    crc, encoded, start = zlib.crc32, _encoded, _start(table)
    return [(crc(encoded(row), start) ^ _SIGN) - _SIGN for row in rows]


def with_checksum(table: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Complete a row: the values of all columns but the checksum, and the checksum."""
    return (*values, checksum(table, values))


def with_checksums(table: str, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """`with_checksum` for many rows."""
    return [(*values, one) for values, one in zip(rows, checksums(table, rows), strict=True)]


@cache
def _start(table: str) -> int:
    return zlib.crc32(table.encode())


def is_sound(table: str, row: Sequence[Any]) -> bool:
    """Whether a complete row is as it was written; one without a checksum counts as sound."""
    return row[-1] is None or row[-1] == checksum(table, row[:-1])


def checked(table: str, row: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a complete row without its checksum.

    Raises LedgerDamagedError if the checksum does not match.
    """
    if not is_sound(table, row):
        message = f"a row of the table {table} is not what was written"
        raise LedgerDamagedError(message)
    return row[:-1]


def change(
    connection: Connection, table: Table, where: ColumnElement[bool], **values: object
) -> int:
    """Change rows of a table together with their checksums, and return their number.

    Without `values`, only the checksums are written. Raises LedgerDamagedError if a row's checksum
    does not match, because a new one would hide the damage.
    """
    found = connection.execute(select(table).where(where)).fetchall()
    names = table.c.keys()[:-1]
    for row in found:
        old = dict(zip(names, checked(table.name, row), strict=True))
        new = old | values
        kept = {**values, CHECKSUM: checksum(table.name, tuple(new.values()))}
        this = (column == old[column.name] for column in table.primary_key)
        connection.execute(update(table).where(*this).values(kept))
    return len(found)


def sum_of_sources(rows: Iterable[tuple[bytes, int]], begun: int = 0) -> int:
    """The sum of `begun` and the CRC-32 of each row of `sources`, modulo 2**63."""
    crc = zlib.crc32
    return (begun + sum(crc(b"%d" % position, crc(digest)) for digest, position in rows)) % _SUMS


def without_sources(total: int, rows: Iterable[tuple[bytes, int]]) -> int:
    """Subtract these rows from a `sum_of_sources`."""
    return (total - sum_of_sources(rows)) % _SUMS
