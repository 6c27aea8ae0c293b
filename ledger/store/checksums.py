"""Checksums: four bytes in each row of truth, by which a damaged one is told from a sound one.

A checksum is the CRC-32 of the table's name and of all other columns in order, as MessagePack, in
which a value of another type has other bytes. It is written with the row and at each update of it.
Two tables have none: an origin is bound to its event by a commitment, and the rows of `sources`,
which are many and small, share a sum in the head.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import msgspec

_NAMES: dict[str, int] = {}


def checksum(table: str, values: Sequence[object]) -> int:
    """Return the checksum of a row, whose `values` come in the order of the table's columns.

    From -2**31 to 2**31 - 1: SQLite stores that in four bytes.
    """
    start = _NAMES.get(table)
    if start is None:
        start = _NAMES[table] = zlib.crc32(table.encode())
    unsigned = zlib.crc32(msgspec.msgpack.encode(values), start)
    return unsigned - 2**32 if unsigned >= 2**31 else unsigned


def with_checksum(table: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the whole row of a table from the values of all columns but its checksum."""
    return (*values, checksum(table, values))
