"""The columns of a segment as Arrow tables: schema, versions by position, and memory."""

import ctypes
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# The memory allocator of segments: threads pass tables to one another, and free each other's.
#
# Allocators with a pool per thread, such as Arrow's default and glibc's, keep much unused memory
# then.

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of malloc.h
_TRIMMED_FROM = 32 << 20  # free bytes at the heap's end; a page that comes back is zeroed again
_GIVEN_BACK_FROM = 1 << 19  # bytes that go back to the system as soon as they are freed

pa.set_memory_pool(pa.system_memory_pool())
with suppress(AttributeError, OSError):  # only glibc has it
    _libc = ctypes.CDLL(None)
    _libc.mallopt(_M_ARENA_MAX, 1)
    _libc.mallopt(_M_TRIM_THRESHOLD, _TRIMMED_FROM)
    _libc.mallopt(_M_MMAP_THRESHOLD, _GIVEN_BACK_FROM)


def release_memory() -> None:
    """Return freed memory to the system."""
    pa.default_memory_pool().release_unused()


# The columns of a segment: all fields of its events, as Arrow tables.
#
# docs/reference/segments.md describes them for readers with other tools.

_SECOND = 1_000_000
_CODED = pa.dictionary(pa.int32(), pa.string())

TEXTS = ("account", "issue_id", "linear_id", "place")
"""The columns with few different texts, which are dictionary-encoded in memory and file."""

SOUGHT = ("account", "issue_id")
"""The columns by which events are sought."""

SORTED_BY = (*SOUGHT, "occurred_second", "occurred_microsecond", "position")
"""The first columns, by which the rows of a file are sorted; no two rows agree in them."""

SCHEMA = pa.schema(
    [
        pa.field("account", _CODED, nullable=False),
        pa.field("issue_id", _CODED, nullable=False),
        pa.field("occurred_second", pa.int64(), nullable=False),
        pa.field("occurred_microsecond", pa.int32(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("recorded_after", pa.int64(), nullable=False),
        pa.field("kind", pa.int8()),
        pa.field("linear_id", _CODED),
        pa.field("score", pa.float64()),
        pa.field("place", _CODED),
        pa.field("commitment", pa.binary(32)),
    ]
)
"""Occurred in seconds since 1970 UTC and microseconds on top; recorded so many microseconds later.

Few clocks of sources tell more than seconds, so the parts take little more than half the bytes.
"""

FILE_SCHEMA = SCHEMA.set(
    SCHEMA.names.index("version"), pa.field("versions_before", pa.int32(), nullable=False)
)
"""The columns of a file; `ledger.archive.columns` says how it tells versions."""

STATE = pa.field("state", pa.binary())
"""The bytes of an observation; tables and files without observations lack this column, the last.
"""

LAST = "~"
"""After every account's UUID."""

END = "\x7f"
"""After every stream's name."""


def issue_stream(uuid: str) -> str:
    """The name of an issue's stream in the column of accounts, which sorts after LAST.

    So the observations stand apart at the end of a file, and folds of accounts do not read them.
    """
    return LAST + uuid


MOMENT_COLUMNS = ("position", "occurred_second", "occurred_microsecond", "recorded_after")
"""The columns that `occurred_at`, `recorded_at` and their corrections read."""

_ROWS_AT_ONCE = 65_536

Integers = NDArray[np.int64]


def in_order(table: pa.Table) -> Iterator[pa.Table]:
    """Yield the events sorted by account, issue, occurred_at and position, in several tables."""
    account, issue = (ranks(table[name]) for name in ("account", "issue_id"))
    order = np.lexsort((integers(table["position"]), occurred_at(table), issue, account))
    for begin in range(0, len(order), _ROWS_AT_ONCE):
        # Tables with small dictionaries are concatenated quickly.
        yield own_texts(table.take(pa.array(order[begin : begin + _ROWS_AT_ONCE])))


def one_table(tables: Iterable[pa.Table]) -> pa.Table:
    """Concatenate tables, with one common dictionary for each column of texts.

    Where only some have the column of states, it is null for the others.
    """
    whole = pa.concat_tables(tables, promote_options="default")
    return whole.unify_dictionaries().combine_chunks()


def by_position(table: pa.Table) -> pa.Table:
    """Return the events sorted by position."""
    return table.take(pa.array(np.argsort(integers(table["position"]))))


def occurred_at(table: pa.Table) -> Integers:
    """The instants at which the events occurred, as integers."""
    seconds, microseconds = table["occurred_second"], table["occurred_microsecond"]
    return integers(seconds) * _SECOND + integers(microseconds)


def recorded_at(table: pa.Table) -> Integers:
    """The instants at which the events were recorded, as integers."""
    return occurred_at(table) + integers(table["recorded_after"])


def timed(table: pa.Table, occurred: Integers, recorded: Integers) -> pa.Table:
    """Replace the instants of a table's events."""
    second, microsecond = np.divmod(occurred, _SECOND)
    parts = {
        "occurred_second": second,
        "occurred_microsecond": microsecond.astype(np.int32),
        "recorded_after": recorded - occurred,
    }
    for name, values in parts.items():
        place = table.column_names.index(name)
        table = table.set_column(place, SCHEMA.field(name), pa.array(values))
    return table


def integers(column: pa.ChunkedArray) -> Integers:
    """A column of numbers, with 0 for null."""
    known = column.fill_null(0) if column.null_count else column
    return np.asarray(known.to_numpy(), np.int64)


def ranks(column: pa.ChunkedArray) -> Integers:
    """Return the rank of each row's text among the different texts of the column, -1 for null.

    Texts are compared by their code points, which is the order of their UTF-8 bytes too.
    """
    coded = one_chunk(column)
    indices: Integers = coded.indices.fill_null(-1).to_numpy()
    return _ranks_of(coded.dictionary)[indices]


def one_chunk(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A column of texts as one array, whose dictionary holds each text once."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.unify_dictionaries().combine_chunks()


def listed(column: pa.ChunkedArray) -> list[Any]:
    """The texts or bytes of a column as a list of objects: a faster `to_pylist`."""
    if not pa.types.is_dictionary(column.type):
        objects: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
        return objects
    coded = one_chunk(column)
    texts = np.array([*coded.dictionary.to_pylist(), None], object)  # at -1, for nulls
    return list(texts[coded.indices.fill_null(-1).to_numpy()])


def own_texts(table: pa.Table) -> pa.Table:
    """Drop unused texts from the dictionaries of a table, and sort them."""
    for number, name in enumerate(table.column_names):
        if name in TEXTS:
            column = table[name].cast(pa.string()).combine_chunks()
            texts = column.unique().drop_null().sort()
            codes = pc.index_in(column, value_set=texts)
            own = pa.DictionaryArray.from_arrays(codes, texts)
            table = table.set_column(number, SCHEMA.field(name), own)
    return table


def _ranks_of(dictionary: pa.Array) -> Integers:
    """The rank of each text of a dictionary, followed by -1 for null."""
    ranked = np.empty(len(dictionary) + 1, np.int64)
    ranked[-1] = -1
    ranked[pc.sort_indices(dictionary).to_numpy()] = np.arange(len(dictionary))
    return ranked


def event_batch(  # noqa: PLR0913, PLR0917 - the columns of an event
    account: pa.DictionaryArray,
    issue: Sequence[str],
    occurred: Sequence[int],
    position: Sequence[int],
    version: Sequence[int],
    recorded: Sequence[int],
    kind: Sequence[int | None],
    linear_id: Sequence[str | None],
    score: Sequence[float | None],
    place: pa.DictionaryArray,
    commitment: Sequence[bytes | None],
) -> pa.RecordBatch:
    """Build a batch of a table of events from their columns."""
    occurred_at_ = np.array(occurred, np.int64)
    second, microsecond = np.divmod(occurred_at_, _SECOND)
    return pa.record_batch(
        [
            account,
            coded(issue),
            second,
            microsecond.astype(np.int32),
            pa.array(position, pa.int64()),
            pa.array(version, pa.int32()),
            np.array(recorded, np.int64) - occurred_at_,
            pa.array(kind, pa.int8()),
            coded(linear_id),
            pa.array(score, pa.float64()),
            place,
            pa.array(commitment, pa.binary(32)),
        ],
        schema=SCHEMA,
    )


def coded(texts: Iterable[str | None]) -> pa.DictionaryArray:
    """Encode texts as a dictionary array."""
    return pa.array(list(texts), pa.string()).dictionary_encode()


def exactly(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Return a column of values of one type, and nulls; raises ArrowInvalid for any other value.

    Given the type, `pyarrow.array` would make 1 of 1.5, and text of bytes.
    """
    column = pa.array(values)
    if column.type == type_:
        return column
    if not pa.types.is_null(column.type):
        message = f"there are values of the type {column.type}, not {type_}"
        raise pa.ArrowInvalid(message)
    return column.cast(type_)


def uuids(columns: Iterable[bytes | None]) -> Iterator[str | None]:
    """Yield the textual form of UUIDs given as 16 bytes."""
    return map(_uuid, columns)


@lru_cache(maxsize=100_000)
def _uuid(of: bytes | None) -> str | None:
    return None if of is None else str(UUID(bytes=of))


# Versions of events within their account, which a file derives from positions.
#
# Both rise together, so a file only stores how many versions of the account precede those in it.
# That number is the same for all events of an account, and compresses well, unless other events are
# between them.

TOLD_BY = ("account", "position", "versions_before")
"""The columns of a file from which versions are computed."""

_PLACE = SCHEMA.names.index("version")


def as_in_file(table: pa.Table) -> pa.Table:
    """Replace the versions of all events of a file by the numbers that it stores."""
    field = FILE_SCHEMA.field(_PLACE)
    before = integers(table["version"]) - _numbers(table)
    return table.set_column(_PLACE, field, pa.array(before, field.type))


def versions_in(table: pa.Table) -> pa.Array:
    """The versions of all events of a file, or of all events of some accounts."""
    return _versions(table, _numbers(table))


def versions_by_group(groups: Iterable[pa.Table]) -> Iterator[pa.Array]:
    """Yield the versions of the events of each of a file's row groups.

    All events of an account are in memory at once, and a row group or two.
    """
    sizes: deque[int] = deque()
    known, unfinished = pa.array([], SCHEMA.field(_PLACE).type), list[pa.Table]()
    of_unfinished = ""
    for group in groups:
        sizes.append(len(group))
        begin, account = _last_account(group)
        if begin or (unfinished and of_unfinished != account):
            known = _more(known, [*unfinished, group.slice(0, begin)])
            unfinished = []
        unfinished.append(group.slice(begin))
        of_unfinished = account
        while sizes[0] <= len(known):
            yield known.slice(0, sizes[0])
            known = known.slice(sizes.popleft())
    known = _more(known, unfinished) if unfinished else known
    for size in sizes:
        yield known.slice(0, size)
        known = known.slice(size)


def _last_account(table: pa.Table) -> tuple[int, str]:
    """The row at which the last account of some rows begins, and that account."""
    accounts = one_chunk(table["account"])
    begin = int(np.flatnonzero(np.diff(accounts.indices.to_numpy(), prepend=-1))[-1])
    return begin, accounts[begin].as_py()


def _more(known: pa.Array, tables: Sequence[pa.Table]) -> pa.Array:
    """Append the versions of complete accounts to the known ones."""
    return pa.concat_arrays([known, versions_in(one_table(tables))])


def versions_among(table: pa.Table, positions: Integers) -> pa.Array:
    """Return the versions of some events of an account.

    The file has its events at those `positions`, which ascend.
    """
    return _versions(table, np.searchsorted(positions, integers(table["position"])))


def with_earlier(groups: Iterable[pa.Table], earlier: Counter[str]) -> Iterator[pa.Table]:
    """Yield the events of a file as in one that also has `earlier` events of the accounts."""
    field = FILE_SCHEMA.field(_PLACE)
    for group in groups:
        accounts = one_chunk(group["account"])
        counts = np.array([earlier[each] for each in accounts.dictionary.to_pylist()], np.int64)
        before = integers(group[field.name]) - counts[accounts.indices.to_numpy()]
        yield group.set_column(_PLACE, field, pa.array(before, field.type))


def _versions(table: pa.Table, numbers: Integers) -> pa.Array:
    return pa.array(integers(table["versions_before"]) + numbers, SCHEMA.field(_PLACE).type)


def _numbers(table: pa.Table) -> Integers:
    """For each event, the number of its account's events at lower positions."""
    accounts = one_chunk(table["account"]).indices.to_numpy()
    order = np.lexsort((integers(table["position"]), accounts))
    starts = np.flatnonzero(np.diff(accounts[order], prepend=-1))
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return numbers
