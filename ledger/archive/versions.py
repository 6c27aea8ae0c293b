"""Versions: an event's place among those of its account, which a file tells by positions.

Both rise together, so a file has only how many versions of the account come before those in it.
That is the same number for all, and takes next to no room, unless other events are between them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from ledger.archive.columns import FILE_SCHEMA, SCHEMA, Integers, integers, one_chunk

TOLD_BY = ("account", "position", "versions_before")
"""The columns of a file that tell versions."""

_PLACE = SCHEMA.names.index("version")


def as_in_file(table: pa.Table) -> pa.Table:
    """Return all the events of a file with what it says in place of their versions."""
    field = FILE_SCHEMA.field(_PLACE)
    before = integers(table["version"]) - _numbers(table)
    return table.set_column(_PLACE, field, pa.array(before, field.type))


def versions_in(table: pa.Table) -> pa.Array:
    """Return the versions of all the events of a file, or of all those of some accounts."""
    return _versions(table, _numbers(table))


def versions_among(table: pa.Table, positions: Integers) -> pa.Array:
    """Return the versions of some events of an account, of which the file has those `positions`."""
    return _versions(table, np.searchsorted(np.sort(positions), integers(table["position"])))


def after(groups: Iterable[pa.Table], earlier: Counter[str]) -> Iterator[pa.Table]:
    """Yield the events of a file as one says them that has so many `earlier` ones of accounts."""
    field = FILE_SCHEMA.field(_PLACE)
    for group in groups:
        accounts = one_chunk(group["account"])
        counts = np.array([earlier[each] for each in accounts.dictionary.to_pylist()], np.int64)
        before = integers(group[field.name]) - counts[accounts.indices.to_numpy()]
        yield group.set_column(_PLACE, field, pa.array(before, field.type))


def _versions(table: pa.Table, numbers: Integers) -> pa.Array:
    return pa.array(integers(table["versions_before"]) + numbers, SCHEMA.field(_PLACE).type)


def _numbers(table: pa.Table) -> Integers:
    """Return how many of its account's events are at lower positions than each."""
    accounts = one_chunk(table["account"]).indices.to_numpy()
    order = np.lexsort((integers(table["position"]), accounts))
    starts = np.flatnonzero(np.diff(accounts[order], prepend=-1))
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return numbers
