"""The store of segments: a folder of files that survive a power cut and are checked when read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ledger.archive.columns import (
    END,
    LAST,
    SCHEMA,
    SOUGHT,
    STATE,
    Integers,
    as_in_file,
    by_position,
    in_order,
    integers,
    one_table,
    recorded_at,
    release_memory,
    versions_among,
    versions_in,
)
from ledger.archive.digests import Columns, Range, differing, digest
from ledger.archive.file_integrity import CheckedFile, sync
from ledger.archive.parquet import (
    Sought,
    account_bounds,
    between,
    columns_of,
    groups_between,
    groups_of,
    has_states,
    in_file,
    parquet_of,
    positions_of,
    read_again,
    read_sought,
    write,
)
from ledger.archive.segment_files import UNFINISHED, Files, translated
from ledger.errors import (
    ArchiveUnavailableError,
    DamagedSegmentError,
    MissingSegmentError,
)
from ledger.instants import Instant
from ledger.segment import Segment

_READ_AT_ONCE = 1 << 20


class Archive:
    """The segments of one ledger, in the folder beside its database.

    Methods that read raise MissingSegmentError or DamagedSegmentError, which name the file and its
    range; methods that write raise ArchiveUnavailableError or DiskFullError.
    """

    def __init__(self, folder: Path | None) -> None:
        """Use `folder`, which is created when needed; None if the database is not a file."""
        self._folder = folder
        self.files = Files(folder)
        """The files in it, segments or not."""

    @property
    def is_possible(self) -> bool:
        """Whether there can be segments: not if the database is on a server."""
        return self._folder is not None

    @property
    def folder(self) -> Path:
        """The folder of the files; raises ArchiveUnavailableError if there can be none."""
        if self._folder is None:
            message = "only a ledger in an SQLite file has an archive"
            raise ArchiveUnavailableError(message)
        return self._folder

    def publish(self, table: pa.Table, first: int, last: int) -> Segment:
        """Write the events of `table` as the segment of a range, and return it.

        When this returns, its file survives a power cut, and was read back and found to have the
        contents of `table`.
        """
        recorded = recorded_at(table)
        planned = Segment(
            first_position=first,
            last_position=last,
            events=len(table),
            first_recorded_at=Instant(int(recorded.min())),
            last_recorded_at=Instant(int(recorded.max())),
            digest=digest(table),
            size_bytes=0,
            blocks=b"",
        )
        tables = in_order(as_in_file(table))
        return self.publish_in_order(planned, tables, {}, has_states=_holds_states(table))

    def publish_in_order(
        self,
        planned: Segment,
        tables: Iterable[pa.Table],
        parts: Mapping[Range, bytes],
        *,
        has_states: bool,
    ) -> Segment:
        """Write tables that are in the order of a file, and return the segment of that file.

        It `has_states` if there are observations. It is read back and compared with the digests of
        `planned` and of each of its `parts`.
        """
        with translated():
            path = self.folder / planned.name
            unfinished = path.with_name(path.name + UNFINISHED)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            try:
                write(unfinished, tables, planned, has_states=has_states)
                release_memory()
                segment = read_again(unfinished, planned, parts)
                if not self.files.is_sound(segment):
                    self.files.set_aside(path)
                unfinished.rename(path)
            except BaseException:
                with suppress(OSError):  # on a full disk, recording needs the space
                    unfinished.unlink(missing_ok=True)
                raise
            sync(self.folder)
            sync(self.folder.parent)  # in case the folder itself is new
        release_memory()
        return segment

    def read(self, segment: Segment, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the events of a segment, with all or some columns, in the order of the file."""
        with self.opened(segment) as file:
            wanted = _schema_of(file).names if columns is None else columns
            table = file.read(in_file(wanted))
        if "version" in wanted:
            table = table.append_column("version", versions_in(table))
        return table.select(list(wanted))

    def read_positions(
        self, segment: Segment, first: int, last: int, after: str = "", upto: str = END
    ) -> pa.Table:
        """Return the events at the positions `first` to `last`, by position.

        Only those of the streams `after` < name <= `upto`, of which row groups hold no others.
        """
        with self.opened(segment) as file:
            schema = _schema_of(file) if upto > LAST else SCHEMA
            columns, found = columns_of(file, after, upto), [schema.empty_table()]
            for pieces in zip(*map(columns, schema.names), strict=True):
                group = pa.table(pieces, schema)
                position = integers(group["position"])
                found.append(group.filter(pa.array((first <= position) & (position <= last))))
        return by_position(one_table(found))

    def positions(self, segment: Segment, after: str, upto: str) -> Integers:
        """The positions of the events in a segment of some streams, as `read_positions` does."""
        groups = self.row_groups(segment, ["position"], after, upto)
        found = [integers(each["position"]) for each in groups]
        return np.sort(np.concatenate([np.empty(0, np.int64), *found]))

    def has_states(self, segment: Segment) -> bool:
        """Whether there are observations in a segment."""
        with self.opened(segment) as file:
            return has_states(file)

    def read_account(
        self,
        segment: Segment,
        account: str,
        issue_id: str | None = None,
        columns: Sequence[str] = SCHEMA.names,
    ) -> pa.Table:
        """Return some columns of an account's events, with one issue or all."""
        with self.opened(segment) as file:
            groups = groups_of(file.metadata, account, issue_id)
            names = list(dict.fromkeys([*SOUGHT, *in_file(columns)]))
            table = file.read_row_groups(groups, names, use_threads=False)
            table = table.filter(pc.equal(table["account"], account))
            if issue_id is not None:
                table = table.filter(pc.equal(table["issue_id"], issue_id))
            if "version" in columns:
                own = np.sort(integers(table["position"]))  # which nothing reads again
                whole = own if issue_id is None else positions_of(file, account)
                table = table.append_column("version", versions_among(table, whole))
        return table.select(list(columns))

    def account_groups(
        self,
        segment: Segment,
        account: str,
        issue_id: str | None = None,
        columns: Sequence[str] = SCHEMA.names,
        positions: Integers | None = None,
    ) -> Iterator[pa.Table]:
        """Yield the rows of `read_account`, one table per row group that has some.

        If `positions` are given, only the events there; of a row group without any of them only the
        columns that show this are read.
        """
        sought = Sought(account, issue_id, positions)
        with self.opened(segment) as file:
            whole = positions_of(file, account) if "version" in columns else None
            for group in groups_of(file.metadata, account, issue_id):
                table = read_sought(file, group, sought, in_file(columns))
                if len(table):
                    if whole is not None:
                        table = table.append_column("version", versions_among(table, whole))
                    yield table.select(list(columns))

    def row_groups(
        self, segment: Segment, columns: Sequence[str], after: str = "", upto: str = LAST
    ) -> Iterator[pa.Table]:
        """Yield some columns of the file, for the accounts `after` < account <= `upto`.

        Each table is one row group, in the order of the file, with its own memory.
        """
        with self.opened(segment) as file:
            for group in groups_between(file.metadata, after, upto):
                least, most = account_bounds(file.metadata, group)
                found = [file.read_row_group(group, list(columns), use_threads=False)]
                if not (after < least and most <= upto):
                    found = [between(found.pop(), after, upto)]
                yield found.pop()  # keeps no reference here

    def check(self, segment: Segment, parts: Mapping[Range, bytes] | None = None) -> None:
        """Read all of a segment, and compare it and each of its `parts` with what was sealed.

        `parts` are ranges of positions and their digests.
        """
        with self._open(segment) as file:
            while file.read(_READ_AT_ONCE):
                pass
        known = {segment.range: segment.digest, **(parts or {})}
        other = differing(self.columns([segment]), known)
        if other is not None:
            raise other_events_error(segment, other)

    def columns(self, segments: Sequence[Segment]) -> Columns:
        """A function that reads a column of several segments, by row groups."""

        def pieces(name: str) -> Iterator[pa.ChunkedArray]:
            for each in segments:
                with self.opened(each) as file:
                    yield from columns_of(file)(name)

        return pieces

    @contextmanager
    def opened(self, segment: Segment) -> Iterator[pq.ParquetFile]:
        """Yield the file of a segment; each byte that is read of it is checked."""
        with self._open(segment) as checked:
            try:
                with parquet_of(checked) as file:
                    yield file
            except pa.ArrowInvalid as error:
                raise DamagedSegmentError(segment, "cannot be read") from error

    def says(self, segment: Segment, range_: Range, digest: bytes) -> bool:
        """Return whether a segment's events in a range of positions have that digest."""
        return differing(self.columns([segment]), {range_: digest}) is None

    @contextmanager
    def _open(self, segment: Segment) -> Iterator[CheckedFile]:
        try:
            file = self.files.path_of(segment).open("rb", buffering=0)
        except FileNotFoundError:
            raise MissingSegmentError(segment) from None
        except OSError as error:
            raise DamagedSegmentError(segment, f"cannot be read: {error.strerror}") from error
        with CheckedFile(file, segment) as checked:
            yield checked


def _holds_states(table: pa.Table) -> bool:
    """Whether there are observations in a table, which may have the column without any."""
    is_column = STATE.name in table.column_names
    return is_column and table[STATE.name].null_count < len(table)


def _schema_of(file: pq.ParquetFile) -> pa.Schema:
    """The columns of the events of a file."""
    return SCHEMA.append(STATE) if has_states(file) else SCHEMA


def other_events_error(segment: Segment, range_: Range) -> DamagedSegmentError:
    """Return the error of a file that does not say what was sealed of a range of positions."""
    reason = "does not say what was sealed of the positions {} to {}".format(*range_)
    return DamagedSegmentError(segment, reason)
