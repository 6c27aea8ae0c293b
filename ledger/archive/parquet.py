"""A segment as a Parquet file: writing it, and reading the parts that are needed.

docs/reference/segments.md describes the file for readers with other tools.
"""

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ledger.archive.columns import (
    END,
    FILE_SCHEMA,
    LAST,
    SOUGHT,
    STATE,
    TEXTS,
    TOLD_BY,
    Integers,
    integers,
    one_chunk,
    one_table,
    own_texts,
    versions_by_group,
)
from ledger.archive.digests import Columns, Range, differing
from ledger.archive.file_integrity import CheckedFile, block_digests
from ledger.errors import DamagedSegmentError
from ledger.segment import FORMAT_VERSION, FORMAT_WITHOUT_STATES, Segment

ROWS_OF_A_GROUP = 32_768
"""The most rows of a row group."""

OBSERVATIONS_OF_A_GROUP = 4_096
"""The most rows of a row group of observations, which are ten times as large."""

METADATA = b"engagement_ledger"
"""The key of a file's metadata."""

_DELTAS = dict.fromkeys(
    ("occurred_second", "occurred_microsecond", "position", "versions_before", "recorded_after"),
    "DELTA_BINARY_PACKED",
)
# A hash cannot be compressed, and decompressing would take time at every read.
_COMPRESSION = {name: "NONE" if name == "commitment" else "ZSTD" for name in FILE_SCHEMA.names}
_WITH_STATES = FILE_SCHEMA.append(STATE)
_LEVELS = {"issue_id": 19}  # of ZSTD, for columns where it saves a sixth; read as fast as any other
_LEVEL = 12  # a twentieth smaller than with the default


def write(path: Path, tables: Iterable[pa.Table], segment: Segment, *, has_states: bool) -> None:
    """Write events, given in the order of the file, and sync them to disk.

    Only a file that has observations gets the column of their states.
    """
    metadata = msgspec.json.encode(_metadata_of(segment, has_states=has_states))
    schema = (_WITH_STATES if has_states else FILE_SCHEMA).with_metadata({METADATA: metadata})
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        with _writer(file, schema) as writer:
            for group in _groups(tables):
                writer.write_table(_as_written(group, schema), row_group_size=ROWS_OF_A_GROUP)
        file.flush()
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):  # so the check reads the disk; not on macOS
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _as_written(group: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows of a group with all columns of a file."""
    if STATE.name in schema.names and STATE.name not in group.column_names:
        group = group.append_column(STATE, pa.nulls(len(group), STATE.type))
    return own_texts(group).select(schema.names).cast(schema)


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the same rows as tables of one row group each; none has accounts and issues."""
    parts = chain.from_iterable(map(_apart, tables))
    for are_issues, several in groupby(parts, key=_are_issues):
        yield from _split(several, OBSERVATIONS_OF_A_GROUP if are_issues else ROWS_OF_A_GROUP)


def _apart(table: pa.Table) -> Iterator[pa.Table]:
    """Yield the events of accounts, and then the observations."""
    if len(table) and _is_of_issue(table, 0) == _is_of_issue(table, -1):
        yield table
    elif len(table):
        yield between(table, "", LAST)
        yield between(table, LAST, END)


def _are_issues(table: pa.Table) -> bool:
    return _is_of_issue(table, 0)


def _is_of_issue(table: pa.Table, row: int) -> bool:
    name: str = table["account"][row].as_py()
    return name > LAST


def _split(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Yield the same rows as tables of at most so many."""
    rest = FILE_SCHEMA.empty_table()
    for table in tables:
        rest = one_table([rest, table])
        while len(rest) > rows:
            end = _end_of_group(rest, rows)
            yield rest.slice(0, end)
            rest = rest.slice(end)
    if len(rest):
        yield rest


def _end_of_group(table: pa.Table, rows: int) -> int:
    """The number of first rows that make a row group, which only splits long engagements."""
    begun = table.slice(0, rows + 1)
    accounts, issues = (one_chunk(begun[name]).indices.to_numpy() for name in SOUGHT)
    starts = np.flatnonzero((np.diff(accounts) != 0) | (np.diff(issues) != 0)) + 1
    return int(starts[-1]) if len(starts) else rows


def _writer(file: Any, schema: pa.Schema) -> pq.ParquetWriter:  # noqa: ANN401 - any file
    compression = {name: _COMPRESSION.get(name, "ZSTD") for name in schema.names}
    return pq.ParquetWriter(
        file,
        schema,
        compression=compression,
        compression_level={
            name: _LEVELS.get(name, _LEVEL) for name, each in compression.items() if each == "ZSTD"
        },
        use_dictionary=[*TEXTS, "kind"],
        column_encoding=_DELTAS,
        write_statistics=FILE_SCHEMA.names,  # a state is long, and never sought
    )


def _metadata_of(segment: Segment, *, has_states: bool) -> dict[str, Any]:
    """The file's metadata, which identify it without its database."""
    return {
        "format": FORMAT_VERSION if has_states else FORMAT_WITHOUT_STATES,
        "first_position": segment.first_position,
        "last_position": segment.last_position,
        "events": segment.events,
        "first_recorded_at": segment.first_recorded_at,
        "last_recorded_at": segment.last_recorded_at,
        "sha256": segment.digest.hex(),
    }


def read_again(path: Path, written: Segment, parts: Mapping[Range, bytes]) -> Segment:
    """Read a file back and return its segment; raises if the contents are not what was written.

    Each of its `parts`, which are ranges of positions with their digests, is compared as well.
    """
    with path.open("rb", buffering=0) as file:
        blocks = b"".join(block_digests(file))
        segment = msgspec.structs.replace(written, size_bytes=file.tell(), blocks=blocks)
        with CheckedFile(file, segment) as checked, parquet_of(checked) as parquet:
            is_other = differing(columns_of(parquet), {written.range: written.digest, **parts})
    if is_other:
        raise DamagedSegmentError(written, "does not read back as it was written")
    return segment


def parquet_of(file: CheckedFile) -> pq.ParquetFile:
    """Open a segment's file for reading."""
    return pq.ParquetFile(file, read_dictionary=list(TEXTS), pre_buffer=False)


def has_states(file: pq.ParquetFile) -> bool:
    """Whether a segment's file has observations."""
    return STATE.name in file.schema_arrow.names


def columns_of(file: pq.ParquetFile, after: str = "", upto: str = END) -> Columns:
    """A function that reads a column of a segment by row groups, and computes versions.

    It reads the streams `after` < name <= `upto`, of which row groups hold no others.
    """

    def pieces(name: str) -> Iterator[pa.ChunkedArray]:
        if name == "version":
            told_by = (read(group, list(TOLD_BY)) for group in groups)
            yield from (pa.chunked_array([each]) for each in versions_by_group(told_by))
        elif name == STATE.name and not has_states(file):
            rows = (file.metadata.row_group(group).num_rows for group in groups)
            yield from (pa.chunked_array([pa.nulls(each, STATE.type)]) for each in rows)
        else:
            yield from (read(group, [name])[name] for group in groups)

    groups = groups_between(file.metadata, after, upto)
    read = partial(file.read_row_group, use_threads=False)  # threads keep freed memory
    return pieces


def groups_between(metadata: pq.FileMetaData, after: str, upto: str) -> list[int]:
    """The row groups that may contain streams with `after` < name <= `upto`."""
    bounds = (account_bounds(metadata, group) for group in range(metadata.num_row_groups))
    return [group for group, (first, last) in enumerate(bounds) if after < last and first <= upto]


def in_file(columns: Iterable[str]) -> list[str]:
    """The columns of a file from which columns of its events are computed."""
    names = [name for name in columns if name != "version"]
    return [*dict.fromkeys([*names, *TOLD_BY])] if "version" in columns else names


def groups_of(metadata: pq.FileMetaData, account: str, issue_id: str | None) -> list[int]:
    """The row groups that may contain events of an account and issue; they are sorted by both."""
    groups = range(metadata.num_row_groups)
    first = bisect_left(groups, account, key=lambda group: account_bounds(metadata, group).last)
    end = bisect_right(groups, account, key=lambda group: account_bounds(metadata, group).first)
    return [
        group
        for group in groups[first:end]
        if issue_id is None or _may_hold(metadata.row_group(group), issue_id)
    ]


def _may_hold(group: pq.RowGroupMetaData, issue_id: str) -> bool:
    """Whether a row group may contain the issue; one with several accounts may contain any."""
    accounts, issues = (group.column(number).statistics for number in range(len(SOUGHT)))
    is_alone = accounts.min == accounts.max
    return not is_alone or bool(issues.min <= issue_id <= issues.max)


class Sought(NamedTuple):
    """A selection of events: of an account, with one issue or all, at some positions or any."""

    account: str
    issue_id: str | None = None
    positions: Integers | None = None


def read_sought(
    file: pq.ParquetFile, group: int, sought: Sought, columns: Sequence[str]
) -> pa.Table:
    """Return the selected events of a row group; if there are none, other columns are not read."""
    keys = [*SOUGHT] if sought.positions is None else [*SOUGHT, "position"]
    found = file.read_row_group(group, keys, use_threads=False)
    rows = np.flatnonzero(_is_sought(found, sought))
    others = [name for name in columns if name not in keys]
    if len(rows) and others:
        read = file.read_row_group(group, others, use_threads=False)
        found = pa.table([*found.columns, *read.columns], [*keys, *read.column_names])
    return found if len(rows) == len(found) else found.take(pa.array(rows))


def _is_sought(keys: pa.Table, sought: Sought) -> NDArray[np.bool_]:
    is_sought = np.asarray(pc.equal(keys["account"], sought.account))
    if sought.issue_id is not None:
        is_sought = is_sought & np.asarray(pc.equal(keys["issue_id"], sought.issue_id))
    if sought.positions is not None:
        is_sought = is_sought & np.isin(integers(keys["position"]), sought.positions)
    return is_sought


def positions_of(file: pq.ParquetFile, account: str) -> Integers:
    """The positions of an account's events in a segment, ascending."""
    groups = groups_of(file.metadata, account, None)
    table = file.read_row_groups(groups, ["account", "position"], use_threads=False)
    return np.sort(integers(table["position"].filter(pc.equal(table["account"], account))))


class Bounds(NamedTuple):
    """The first and the last account of a row group."""

    first: str
    last: str


def account_bounds(metadata: pq.FileMetaData, group: int) -> Bounds:
    """The accounts between which a row group lies, by the statistics of the file."""
    statistics = metadata.row_group(group).column(0).statistics
    return Bounds(statistics.min, statistics.max)


def between(table: pa.Table, after: str, upto: str) -> pa.Table:
    """Return the rows of the accounts `after` < account <= `upto` of a table sorted by account."""
    accounts = one_chunk(table["account"])
    is_theirs = np.array([after < each <= upto for each in accounts.dictionary.to_pylist()], bool)
    rows = np.flatnonzero(is_theirs[accounts.indices.to_numpy()])
    return table.slice(rows[0] if len(rows) else 0, len(rows))
