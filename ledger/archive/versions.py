"""Versions of events within their account, which a file derives from positions.

Both rise together, so a file only stores how many versions of the account precede those in it. That
number is the same for all events of an account, and compresses well, unless other events are
between them.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from ledger.archive.columns import FILE_SCHEMA, SCHEMA, Integers, integers, one_chunk, one_table

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
    for group in groups:
        sizes.append(len(group))
        begin, account = _last_account(group)
        if begin or (unfinished and _last_account(unfinished[-1])[1] != account):
            known = _more(known, [*unfinished, group.slice(0, begin)])
            unfinished = []
        unfinished.append(group.slice(begin))
        while sizes[0] <= len(known):
            yield known.slice(0, sizes[0])
            known = known.slice(sizes.popleft())
    known = _more(known, unfinished)
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
