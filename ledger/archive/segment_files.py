"""The files in an archive's folder, and the folder within it for files that the database does not
know.

Unknown files, and files whose name is taken, are moved aside instead of deleted: another database
of the same ledger, such as a restored backup, may need them.
"""

import errno
import filecmp
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ledger.archive.file_integrity import block_digests, sync
from ledger.errors import ArchiveUnavailableError, DamagedSegmentError, DiskFullError
from ledger.instants import Instant
from ledger.segment import FORMAT_VERSION, Segment, file_name

if TYPE_CHECKING:
    from ledger.archive.digests import Range

ASIDE = "unknown"
"""The folder within the archive for files that were moved aside."""

UNFINISHED = ".unfinished"

_NAME = re.compile(r"(?P<first>\d{19})-(?P<last>\d{19})\.parquet(\.\d+)?")


class Files:
    """The files in an archive's folder that are named like segments, with any contents.

    Methods that change them raise ArchiveUnavailableError or DiskFullError; no other process may
    change them at the same time.
    """

    def __init__(self, folder: Path | None) -> None:
        """Use `folder`, which may be missing; None if the database is not a file."""
        self._folder = folder or Path(os.devnull)  # which never holds a file

    @property
    def aside(self) -> Path:
        """The folder to which files are moved aside."""
        return self._folder / ASIDE

    def in_place(self) -> list[Path]:
        """The files in the folder itself."""
        return [path for path in _named(self._folder) if path.suffix == ".parquet"]

    def moved_aside(self) -> list[Path]:
        """The files that were moved aside."""
        return _named(self.aside)

    def place(self, range_: "Range") -> Path:
        """The proper path of the file of a range of positions."""
        return self._folder / file_name(*range_)

    def path_of(self, segment: Segment) -> Path:
        """The path to read a segment from: the proper one, or where its file was moved aside."""
        path = self.place(segment.range)
        copies = self._copies_aside(segment)
        places = (each for each in (path, *copies) if copies and _holds(each, segment))
        return next(places, path)

    def is_sound(self, segment: Segment) -> bool:
        """Whether the file of a segment is in its place and holds exactly the sealed bytes."""
        return _holds(self.place(segment.range), segment)

    def found(self, first: int, last: int) -> list[Segment]:
        """Return the segment of each file that overlaps a range of positions.

        A file whose name disagrees with its contents is skipped.
        """
        paths = (*self.in_place(), *self.moved_aside())
        held = (
            (path, segment_in(path)) for path in paths if _overlaps(range_of(path), (first, last))
        )
        return [segment for path, segment in held if segment and segment.range == range_of(path)]

    def set_aside(self, path: Path) -> None:
        """Move a file aside, if it is there, under its own name or one with a number.

        Nothing is overwritten; a file that already has an identical copy there is removed.
        """
        with translated():
            if not path.exists():
                return
            self.aside.mkdir(mode=0o700, exist_ok=True)
            for number in count():
                target = self.aside / (f"{path.name}.{number}" if number else path.name)
                if not target.exists():
                    path.rename(target)
                    break
                if path.is_file() and filecmp.cmp(path, target, shallow=False):
                    path.unlink()
                    break
            sync(self.aside)
            sync(self._folder)

    def bring_back(self, segment: Segment) -> bool:
        """Move the file of a segment to its place from any name; return whether one was found."""
        path = self.place(segment.range)
        places = (*_files(self.aside), *_files(self._folder))
        copy = next((each for each in places if _holds(each, segment)), None)
        if copy is None:
            return False
        self.set_aside(path)
        with translated():
            copy.rename(path)
            sync(self._folder)
        return True

    def remove(self, path: Path) -> int:
        """Remove a file and return the number of bytes freed."""
        with translated():
            size = path.stat().st_size
            path.unlink()
        return size

    def remove_unfinished(self) -> int:
        """Remove unfinished files, and return the number of bytes freed."""
        paths = [path for path in _files(self._folder) if path.suffix == UNFINISHED]
        return sum(self.remove(path) for path in paths if _NAME.fullmatch(path.stem))

    def _copies_aside(self, segment: Segment) -> list[Path]:
        return [path for path in self.moved_aside() if range_of(path) == segment.range]


def range_of(path: Path) -> "Range":
    """The range of positions in a file's name."""
    found = _NAME.fullmatch(path.name)
    return (int(found["first"]), int(found["last"])) if found else (0, -1)


def is_content(path: Path, size_bytes: int, blocks: bytes) -> bool:
    """Whether a file has that size and those block digests, which reads all of it."""
    try:
        if path.stat().st_size != size_bytes:
            return False
        with path.open("rb", buffering=0) as file:
            return b"".join(block_digests(file)) == blocks
    except OSError:
        return False


def segment_in(path: Path) -> Segment | None:
    """Read a file and return its segment, or None if its contents do not match its metadata."""
    # Arrow is loaded here: every start looks whether there are files, and reads none.
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    from ledger.archive.parquet import METADATA, read_again  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            said = msgspec.json.decode((file.schema_arrow.metadata or {})[METADATA], type=_Said)
        planned = said.planned()
        return None if planned is None else read_again(path, planned, {})
    except (OSError, pa.ArrowException, KeyError, ValueError, DamagedSegmentError):
        return None


class _Said(msgspec.Struct):
    """The metadata of a segment's file."""

    format: int
    first_position: int
    last_position: int
    events: int
    first_recorded_at: int
    last_recorded_at: int
    sha256: str

    def planned(self) -> Segment | None:
        if self.format > FORMAT_VERSION:
            return None
        return Segment(
            first_position=self.first_position,
            last_position=self.last_position,
            events=self.events,
            first_recorded_at=Instant(self.first_recorded_at),
            last_recorded_at=Instant(self.last_recorded_at),
            digest=bytes.fromhex(self.sha256),
            size_bytes=0,
            blocks=b"",
        )


def _named(folder: Path) -> list[Path]:
    return [path for path in _files(folder) if _NAME.fullmatch(path.name)]


def _files(folder: Path) -> list[Path]:
    try:
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise ArchiveUnavailableError(f"cannot read the archive: {error.strerror}") from error


def _overlaps(one: "Range", other: "Range") -> bool:
    first, last = one
    begin, end = other
    return first <= end and begin <= last


def _holds(path: Path, segment: Segment) -> bool:
    return is_content(path, segment.size_bytes, segment.blocks)


@contextmanager
def translated() -> Iterator[None]:
    """Translate errors of the disk into errors of the archive."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFullError("the disk that holds the archive is full") from error
        raise ArchiveUnavailableError(f"cannot write the archive: {error.strerror}") from error
