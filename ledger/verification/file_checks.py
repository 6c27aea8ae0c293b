"""Checks of the database's file: header and log, SQLite's own checks, and the schema."""

import os
import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy
from sqlalchemy import Connection

from ledger.store import schema, tables
from ledger.verification.findings import Finding, derived, of_replay, truth

# The database's file below its tables: its header, and the write-ahead log.
#
# SQLite silently ignores everything after a damaged frame of the log, so committed transactions
# would be lost. The formats are those of https://www.sqlite.org/fileformat2.html.

_MAGIC = b"SQLite format 3\0"
_HEADER = struct.Struct(">16xH6B4xI12xI8xI12x20s8x")
_FRACTIONS = (64, 32, 32)
_FORMAT, _UTF8 = 4, 1
_JOURNALS = ((1, 1), (2, 2))  # 1 in a backup that was never opened
_LOG_HEADER, _FRAME_HEADER = struct.Struct(">8I"), struct.Struct(">6I")
_ORDERS, _LOG_VERSION = {0x377F0682: "<u4", 0x377F0683: ">u4"}, 3_007_000
_UNREADABLE = "it cannot be read, or is misread"
_LOST = "transactions that were committed may be lost"

Sums = tuple[int, int]


def header_findings(path: Path, *, has_log: bool) -> Iterator[Finding]:
    """Check the size of the file, and the header's fields that decide how it is read."""
    header = _header_of(path)
    wrong = _wrong_in(header, path.stat().st_size, has_log=has_log)
    if wrong is not None:
        yield truth("the database's file", wrong, _UNREADABLE)


def _header_of(path: Path) -> bytes:
    """Read the header by a descriptor that SQLite has open, if there is one.

    Closing any descriptor of a file releases all locks that POSIX has the process hold on it, also
    those of SQLite: another process that closes the ledger would then delete the log in use.
    """
    file = _identity(os.stat(path))  # noqa: PTH116 - as of descriptors
    with suppress(OSError):
        for descriptor in map(int, os.listdir("/dev/fd")):  # noqa: PTH208 - names alone
            with suppress(OSError):  # closed meanwhile, or the descriptor of the folder itself
                if _identity(os.fstat(descriptor)) == file:
                    header = os.pread(descriptor, _HEADER.size, 0)
                    if _identity(os.fstat(descriptor)) == file:  # still the same file
                        return header
    with path.open("rb") as opened:
        return opened.read(_HEADER.size)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _wrong_in(header: bytes, size: int, *, has_log: bool) -> str | None:
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        return "it is not a database"
    page, writes, reads, reserved, *fractions, pages, format_, encoding, unused = _HEADER.unpack(
        header
    )
    page = 65_536 if page == 1 else page
    if page < 512 or page & (page - 1):  # noqa: PLR2004 - the smallest page
        return "its header names no valid page size"
    if size % page:
        return f"its size of {size} bytes is not a multiple of the page size, {page}"
    if pages != size // page and not has_log:
        return f"its header says {pages} pages, but there are {size // page}"
    is_journaled = (writes, reads) in _JOURNALS
    is_ours = is_journaled and (reserved, *fractions) == (0, *_FRACTIONS)
    known = (
        {(_FORMAT, _UTF8), (0, 0)} if has_log else {(_FORMAT, _UTF8)}
    )  # 0 until the log is checkpointed
    if not is_ours or (format_, encoding) not in known or any(unused):
        return "its header is not that of a ledger"
    return None


class Frame(NamedTuple):
    """A frame of a log: whether its checksum continues the frame before, and whether it commits."""

    number: int
    is_ours: bool
    is_sound: bool
    commits: bool


def log_findings(log: bytes) -> Iterator[Finding]:
    """Find committed transactions behind a damaged part of a log.

    A power cut can also leave a half-written transaction, which was never acknowledged.
    """
    if len(log) < _LOG_HEADER.size:
        return
    magic, version, page, _, _, _, *stored = _LOG_HEADER.unpack_from(log)
    order = _ORDERS.get(magic, "<u4")
    is_sound = _summed((0, 0), log[:24], order) == tuple(stored) and version == _LOG_VERSION
    if magic not in _ORDERS or not is_sound:
        yield truth("the log", "its header is damaged, and SQLite ignores all of it", _LOST)
        return
    damaged: int | None = None
    for frame in _frames(log, page, order):
        if damaged is None and not (frame.is_ours and frame.is_sound):
            damaged = frame.number
        # The checksum of an earlier log's frame does not continue this one; with a damaged salt it
        # does.
        is_ours = frame.is_ours or (frame.number == damaged and frame.is_sound)
        if damaged is not None and is_ours and frame.commits:
            what = f"frame {damaged} is damaged, and a transaction ends in frame {frame.number}"
            yield truth("the log", what, f"SQLite ignores both, and {_LOST}")
            return


def _frames(log: bytes, page: int, order: str) -> Iterator[Frame]:
    _, _, _, _, *salts, first, second = _LOG_HEADER.unpack_from(log)
    sums, size = (first, second), _FRAME_HEADER.size + page
    for number, at in enumerate(range(_LOG_HEADER.size, len(log) - size + 1, size), start=1):
        _, pages, *own_salts, first, second = _FRAME_HEADER.unpack_from(log, at)
        payload = log[at : at + 8] + log[at + _FRAME_HEADER.size : at + size]
        is_sound = _summed(sums, payload, order) == (first, second)
        yield Frame(number, own_salts == salts, is_sound, pages > 0)
        sums = first, second


def _summed(begun: Sums, data: bytes, order: str) -> Sums:
    """SQLite's checksum of `data`, eight bytes of which are one step of a linear recurrence.

    Each step maps (a, b) and the words x, y to (a + b + x, a + 2 b + x + y); so after n steps the
    factors are the Fibonacci numbers F(2n - 1), F(2n) and F(2n + 1), modulo 2**32.
    """
    words = np.frombuffer(data, order).astype(np.uint32)
    odd, even = words[0::2], words[1::2]
    numbers = _fibonacci(2 * len(odd) + 2)
    last = 2 * len(odd)
    a, b = (np.uint32(each) for each in begun)
    with np.errstate(over="ignore"):
        first = a * numbers[last - 1] + b * numbers[last]
        second = a * numbers[last] + b * numbers[last + 1]
        # A word's factor depends on the steps that follow: x adds to both sums, y first to the
        # second.
        at = np.arange(last - 2, -2, -2)
        first = first + (odd * numbers[at + 1]).sum(dtype=np.uint32)
        first = first + (even * numbers[at]).sum(dtype=np.uint32)
        second = second + (odd * numbers[at + 2]).sum(dtype=np.uint32)
        second = second + (even * numbers[at + 1]).sum(dtype=np.uint32)
    return int(first), int(second)


def _fibonacci(count: int) -> Any:  # noqa: ANN401 - an array
    known = _KNOWN.get(count)
    if known is None:
        numbers, one, next_ = list[int](), 0, 1
        for _ in range(count):
            numbers.append(one)
            one, next_ = next_, (one + next_) % 2**32
        known = _KNOWN[count] = np.array(numbers, np.uint32)
    return known


_KNOWN: dict[int, Any] = {}


# SQLite's own integrity checks, and a comparison of the schema with a ledger's.

_OK, _WHOLE_CHECK = "ok", "integrity_check(100)"
_OBJECTS = "SELECT name, type, tbl_name, sql FROM sqlite_master"
_REPLAY = "replay_"  # followed by the name of a read model beside the live one
_MISREAD = "answers from it may be wrong"

Objects = dict[str, tuple[Any, ...]]
"""Type, table and SQL of tables, indexes, triggers and views, by name."""


def integrity_findings(connection: Connection) -> Iterator[Finding]:
    """Let SQLite check pages, indexes against tables, and references between tables."""
    first, *others = (str(error) for (error,) in _pragma(connection, _WHOLE_CHECK))
    if [first, *others] != [_OK]:
        yield from _blamed(connection, first.splitlines()[-1], 1 + len(others))
    nowhere = Counter(str(table) for table, *_ in _pragma(connection, "foreign_key_check"))
    for table, count in sorted(nowhere.items()):
        yield _of(table, f"{count} of its rows refer to rows that do not exist")


def _blamed(connection: Connection, first: str, count: int) -> Iterator[Finding]:
    """Yield a finding for each damaged table, or else one for the file as a whole."""
    names = [name for name, (kind, *_) in objects_in(connection).items() if kind == "table"]
    bad = [each for each in sorted(names) if not is_whole(connection, each)]
    for each in bad:
        yield _of(each, "its pages or its indexes are damaged")
    if not bad:
        what = f"SQLite finds {count} errors, first: {_harmless(first)}"
        yield truth("the database's file", what, "further writes may damage more")


def is_whole(connection: Connection, table: str) -> bool:
    """Whether SQLite finds the pages and indexes of a table sound."""
    quoted = table.replace("'", "''")
    return _pragma(connection, f"integrity_check('{quoted}')") == [(_OK,)]


def _harmless(message: str) -> str:
    """SQLite's message without characters that it may have quoted from the file."""
    return re.sub(r"[^A-Za-z0-9 .,:()_-]", "?", message)[:100]


def _of(table: str, what: str) -> Finding:
    if table in tables.metadata.tables:
        return truth(table, what, _MISREAD)
    if table.startswith(_REPLAY):
        return of_replay(table.removeprefix(_REPLAY), what)
    return derived(table, what)


def schema_findings(connection: Connection) -> Iterator[Finding]:
    """Check that the tables and triggers of truth are those of this schema's version."""
    found = objects_in(connection)
    for name, expected in _expected().items():
        if found.get(name) != expected:
            kind, table, _ = expected
            is_there = "is not the one that it should be" if name in found else "is missing"
            meaning = "the database may accept what it should refuse"
            yield truth(str(table), f"the {kind} {name} {is_there}", meaning)
    for name, (kind, table, _) in found.items():
        if kind == "trigger" and name not in _expected() and table in tables.metadata.tables:
            what = f"the trigger {_harmless(name)} is none of a ledger's"
            yield truth(str(table), what, "the database may refuse or change what is recorded")


def objects_in(connection: Connection) -> Objects:
    """The objects of the database's schema, by type and name."""
    cursor = connection.connection.cursor()
    rows: Sequence[Any] = cursor.execute(_OBJECTS).fetchall()
    return {name: (kind, table, normal(sql)) for name, kind, table, sql in rows}


def normal(sql: str | None) -> str | None:
    """SQL with normalized white space, in which an upgraded ledger may differ."""
    return None if sql is None else " ".join(str(sql).split())


@cache
def _expected() -> Objects:
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.begin() as connection:
        schema.create(connection)
        found = objects_in(connection)
    engine.dispose()
    return found


def _pragma(connection: Connection, pragma: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]]
    found = connection.connection.cursor().execute(f"PRAGMA {pragma}").fetchall()
    return found
