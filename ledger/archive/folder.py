"""The folder of segments: written so that they outlive a power cut, and checked as they are read.

The names that count are those in the database. A file there that no segment has is left over, from
a compaction that broke off or from before a merge, and is swept away some time later.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ledger.archive.blocks import CheckedFile, block_digests
from ledger.archive.columns import SCHEMA, digest, order, own_texts, recorded_at
from ledger.errors import (
    ArchiveUnavailableError,
    DamagedSegmentError,
    DiskFullError,
    MissingSegmentError,
)
from ledger.instants import Instant
from ledger.segment import FORMAT_VERSION, Segment

ROWS_OF_A_GROUP = 32_768
"""Rows that are found and read together."""

SWEPT_AFTER_SECONDS = 3600.0
"""A question that began before a merge may be reading the files that it replaced."""

LAST = "~"
"""After every account's UUID."""

_SOUGHT = ("account", "issue_id")
_SUFFIX, _UNFINISHED = ".parquet", ".unfinished"
_METADATA = b"engagement_ledger"
_DELTAS = dict.fromkeys(
    ("occurred_second", "occurred_microsecond", "position", "version", "recorded_after"),
    "DELTA_BINARY_PACKED",
)
# A hash cannot be made any shorter, and trying would cost time at every reading.
_COMPRESSION = {name: "NONE" if name == "commitment" else "ZSTD" for name in SCHEMA.names}
_LEVEL = 12  # of ZSTD: a twentieth less than by its default, and read as fast
_TEXT_COLUMNS = [field.name for field in SCHEMA if pa.types.is_dictionary(field.type)]


class Archive:
    """The segments of one ledger, in the folder beside its database.

    Whatever reads raises MissingSegmentError or DamagedSegmentError, which name the file and what
    it held; whatever writes raises ArchiveUnavailableError or DiskFullError.
    """

    def __init__(self, folder: Path | None) -> None:
        """Keep them in `folder`, which is made when it is needed; None where there can be none."""
        self._folder = folder

    @property
    def is_possible(self) -> bool:
        """Tell whether there can be segments: not where the database is on a server."""
        return self._folder is not None

    @property
    def folder(self) -> Path:
        """Where the files are; raises ArchiveUnavailableError where there can be none."""
        if self._folder is None:
            message = "only a ledger in an SQLite file has an archive"
            raise ArchiveUnavailableError(message)
        return self._folder

    def publish(self, table: pa.Table, first: int, last: int) -> Segment:
        """Write the events of `table` as the segment of a range, and return it.

        When this returns, its file survives a power cut, and was read again and found to say what
        `table` says.
        """
        recorded = recorded_at(table)
        unnamed = Segment(
            first_position=first,
            last_position=last,
            events=len(table),
            first_recorded_at=Instant(int(recorded.min())),
            last_recorded_at=Instant(int(recorded.max())),
            digest=digest(table),
            size_bytes=0,
            blocks=b"",
        )
        with _translated():
            path = self.folder / unnamed.name
            unfinished = path.with_name(path.name + _UNFINISHED)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            try:
                _write(unfinished, table, unnamed)
                segment = _read_again(unfinished, unnamed)
                unfinished.rename(path)
            except BaseException:
                with suppress(OSError):  # where the disk is full, whoever records needs the space
                    unfinished.unlink(missing_ok=True)
                raise
            _sync(self.folder)
            _sync(self.folder.parent)  # where the folder itself is new
        return segment

    def read(self, segment: Segment, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the events of a segment, or some of their columns, in the order of the file."""
        with self.opened(segment) as file:
            return file.read(columns)

    def read_account(
        self,
        segment: Segment,
        account: str,
        issue_id: str | None = None,
        columns: Sequence[str] = SCHEMA.names,
    ) -> pa.Table:
        """Return some columns of an account's events, with one issue or all."""
        with self.opened(segment) as file:
            groups = _groups_of(file.metadata, account, issue_id)
            sought = list(dict.fromkeys([*_SOUGHT, *columns]))
            table = file.read_row_groups(groups, sought, use_threads=False)
        wanted = pc.equal(table["account"], account)
        if issue_id is not None:
            wanted = pc.and_(wanted, pc.equal(table["issue_id"], issue_id))
        return table.filter(wanted).select(list(columns))

    def row_groups(
        self, segment: Segment, columns: Sequence[str], after: str = "", upto: str = LAST
    ) -> Iterator[pa.Table]:
        """Yield some columns of the events of the accounts `after` < account <= `upto`.

        Those that are read together, in the order of the file; each piece of memory for itself.
        """
        with self.opened(segment) as file:
            for group in range(file.metadata.num_row_groups):
                least, most = _accounts_of(file.metadata, group)
                if after < most and least <= upto:
                    table = file.read_row_group(group, list(columns))
                    yield table if after < least and most <= upto else _between(table, after, upto)

    def check(self, segment: Segment) -> None:
        """Raise what reading all of the segment would, or where it says something else."""
        with self._open(segment) as file:
            file.read()
        if digest(self.read(segment)) != segment.digest:
            raise DamagedSegmentError(segment, "does not say what was sealed")

    @contextmanager
    def opened(self, segment: Segment) -> Iterator[pq.ParquetFile]:
        """Yield the file of a segment; each byte that is read of it is checked."""
        with self._open(segment) as checked:
            try:
                with pq.ParquetFile(
                    checked, read_dictionary=_TEXT_COLUMNS, pre_buffer=True
                ) as file:
                    yield file
            except pa.ArrowInvalid as error:
                raise DamagedSegmentError(segment, "cannot be read") from error

    def retire(self, segments: Iterable[Segment]) -> None:
        """Let the files of segments that are about to be replaced be swept a while from now."""
        with _translated():
            for each in segments:
                os.utime(self.folder / each.name)

    def sweep(self, kept: Iterable[Segment], now: float) -> int:
        """Remove what is left over, and return how many bytes that freed.

        Nobody may be writing a segment. `now` is in seconds since 1970.
        """
        if self._folder is None or not self._folder.exists():
            return 0
        names, freed = {each.name for each in kept}, 0
        with _translated():
            for path in self._folder.iterdir():
                status = path.stat()
                is_old = now > status.st_mtime + SWEPT_AFTER_SECONDS
                is_ours = path.suffix in (_SUFFIX, _UNFINISHED)
                if is_ours and path.name not in names and (is_old or path.suffix == _UNFINISHED):
                    path.unlink()
                    freed += status.st_size
        return freed

    @contextmanager
    def _open(self, segment: Segment) -> Iterator[CheckedFile]:
        try:
            file = (self.folder / segment.name).open("rb", buffering=0)
        except FileNotFoundError:
            raise MissingSegmentError(segment) from None
        except OSError as error:
            raise DamagedSegmentError(segment, f"cannot be read: {error.strerror}") from error
        with CheckedFile(file, segment) as checked:
            yield checked


def _write(path: Path, table: pa.Table, segment: Segment) -> None:
    """Write the events in their order, some rows at a time, and wait until they are on the disk."""
    schema = SCHEMA.with_metadata({_METADATA: msgspec.json.encode(_said_of(segment))})
    numbers = order(table)
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        with _writer(file, schema) as writer:
            for begin in range(0, len(numbers), ROWS_OF_A_GROUP):
                rows = table.take(pa.array(numbers[begin : begin + ROWS_OF_A_GROUP]))
                writer.write_table(own_texts(rows).cast(schema), row_group_size=ROWS_OF_A_GROUP)
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # so it is read from the disk


def _writer(file: Any, schema: pa.Schema) -> pq.ParquetWriter:  # noqa: ANN401 - any file
    return pq.ParquetWriter(
        file,
        schema,
        compression=_COMPRESSION,
        compression_level={name: _LEVEL for name, each in _COMPRESSION.items() if each == "ZSTD"},
        use_dictionary=[*_TEXT_COLUMNS, "kind"],
        column_encoding=_DELTAS,
    )


def _said_of(segment: Segment) -> dict[str, Any]:
    """What the file says of itself, for whoever finds it without its database."""
    return {
        "format": FORMAT_VERSION,
        "first_position": segment.first_position,
        "last_position": segment.last_position,
        "events": segment.events,
        "first_recorded_at": segment.first_recorded_at,
        "last_recorded_at": segment.last_recorded_at,
        "sha256": segment.digest.hex(),
    }


def _read_again(path: Path, written: Segment) -> Segment:
    """Return the segment as its file has it, which must say what was written."""
    with path.open("rb", buffering=0) as file:
        blocks = b"".join(block_digests(file))
        segment = msgspec.structs.replace(written, size_bytes=file.tell(), blocks=blocks)
        file.seek(0)
        with CheckedFile(file, segment) as checked:
            table = pq.read_table(checked, read_dictionary=_TEXT_COLUMNS)
    if digest(table) != written.digest:
        raise DamagedSegmentError(written, "does not read back as it was written")
    return segment


def _groups_of(metadata: pq.FileMetaData, account: str, issue_id: str | None) -> list[int]:
    """Return the row groups in which such events can be; they are sorted by both."""
    return [
        group
        for group in range(metadata.num_row_groups)
        if _may_hold(metadata.row_group(group), account, issue_id)
    ]


def _may_hold(group: pq.RowGroupMetaData, account: str, issue_id: str | None) -> bool:
    accounts, issues = (group.column(number).statistics for number in range(len(_SOUGHT)))
    if not accounts.min <= account <= accounts.max:
        return False
    is_alone = accounts.min == accounts.max
    return issue_id is None or not is_alone or bool(issues.min <= issue_id <= issues.max)


def _accounts_of(metadata: pq.FileMetaData, group: int) -> tuple[str, str]:
    statistics = metadata.row_group(group).column(0).statistics
    return statistics.min, statistics.max


def _between(table: pa.Table, after: str, upto: str) -> pa.Table:
    accounts = table["account"].cast(pa.string())
    return table.filter(pc.and_(pc.greater(accounts, after), pc.less_equal(accounts, upto)))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFullError("the disk that holds the archive is full") from error
        raise ArchiveUnavailableError(f"cannot write the archive: {error.strerror}") from error
