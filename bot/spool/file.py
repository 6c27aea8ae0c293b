"""The spool: entries that could not be recorded wait in a file, in order, until they can be.

When `append` returns, the entries survive a power cut. Entries that are drained twice, because the
process ended in between, are counted once by their source keys. The file is larger than its
entries: space is reserved ahead, as NULs, in case the disk is full later.
"""

import errno
import fcntl
import glob
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from bot.settings import Settings
from bot.spool.lines import UnreadableLineError, Waiting, is_of, is_readable, line_of, read

_log = logging.getLogger(__name__)

DRAINED_AT_ONCE = 256
RESERVED_BYTES = 2**20
"""How much space is reserved at a time: some two thousand entries of usual length."""
SPARE_BYTES = RESERVED_BYTES // 2
"""How much reserved space follows the entries, as long as the disk has it."""
SET_ASIDE_BYTES = 2**20
"""Unreadable lines that are kept; further ones are only logged."""

_ASIDE = ".unreadable"
_READ_AT_ONCE = 65_536
_NO_ROOM = "no room for a spool"


class SpoolTakenError(OSError):
    """Another process keeps its entries in this spool."""


class Spool:
    """One process's file of entries that wait; every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """Keep entries in `path`, which is created by `reserve` or with the first entry."""
        self.path = path
        self.aside = path.with_name(f"{path.name}{_ASIDE}")
        self._lock = Lock()
        self._draining = Lock()
        self._descriptor: int | None = None
        self._is_short = False
        self._end = _end_of_lines(path)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing waits."""
        return self._end == 0

    def reserve(self) -> None:
        """Reserve space on the disk ahead of need; failure is only logged."""
        with self._lock:
            try:
                self._make_room(self._opened(), 1)
            except OSError as error:
                _log.warning(_NO_ROOM, extra={"error": error.strerror})
            if self._end == 0:
                self._give_back()

    def append(self, waiting: Sequence[Waiting]) -> None:
        """Keep entries durably, all or none; raises OSError if that fails."""
        lines = b"".join(map(line_of, waiting))
        with self._lock:
            descriptor = self._opened()
            try:
                self._make_room(descriptor, len(lines))
                _write(descriptor, lines, self._end)
                os.fsync(descriptor)
            except OSError:
                self._take_back(descriptor, len(lines))
                raise
            self._end += len(lines)

    def drain(self, record: Callable[[Sequence[Waiting]], object]) -> None:
        """Pass the entries to `record` in order, and remove them once all are recorded.

        An error of `record` is raised, and the entries stay. A second caller waits for the first. A
        line that cannot be read is set aside, and the others go on.
        """
        with self._draining:
            done = 0
            while not self._is_through(done):
                entries, done = self._read(done)
                if entries:
                    record(entries)

    def set_aside(self, line: bytes) -> None:
        """Keep a line that cannot be recorded in the file `aside`, for a person to look at.

        A drain that fails is repeated, so the same line may come many times.
        """
        kept = _lines_of(self.aside)
        if line in kept:
            return
        has_room = sum(map(len, kept)) + len(line) <= SET_ASIDE_BYTES
        _log.error("spool line unreadable", extra={"bytes": len(line), "kept": has_room})
        if has_room:
            self._write_aside([*kept, line])

    def forget(self, user_id: str) -> None:
        """Delete what was set aside and may be about the user."""
        kept = _lines_of(self.aside)
        if kept:
            self._write_aside([line for line in kept if not is_of(line, user_id)])

    def _write_aside(self, lines: Sequence[bytes]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with os.fdopen(os.open(self.aside, flags, 0o600), "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Give the file back to whoever comes next."""
        with self._lock:
            self._give_back()

    def _give_back(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def _make_room(self, descriptor: int, length: int) -> None:
        wanted = self._end + length + SPARE_BYTES
        if os.fstat(descriptor).st_size >= wanted or not hasattr(os, "posix_fallocate"):
            return
        try:
            os.posix_fallocate(descriptor, 0, wanted - wanted % -RESERVED_BYTES)
        except OSError as error:
            _log.log(
                logging.INFO if self._is_short else logging.WARNING,
                _NO_ROOM,
                extra={"error": error.strerror},
            )
            self._is_short = True
        else:
            self._is_short = False

    def _take_back(self, descriptor: int, length: int) -> None:
        """Undo an append that failed: no part of it may be read as a line.

        If that fails as well, the checksums reveal the partial line. The file is reopened next
        time: a descriptor may stay unusable after a fault.
        """
        with suppress(OSError):
            _write(descriptor, bytes(length), self._end)
        self._give_back()

    def _is_through(self, done: int) -> bool:
        with self._lock:
            if done < self._end:
                return False
            if done:
                os.ftruncate(self._opened(), 0)
                self._end = 0
                os.fsync(self._opened())
                self._make_room(self._opened(), 1)
            self._give_back()  # it is nobody's while nothing waits in it
            return True

    def _read(self, start: int) -> tuple[list[Waiting], int]:
        with self._lock:
            descriptor, end = self._opened(), self._end
            entries: list[Waiting] = []
            for line in _lines(descriptor, start, end):
                start += len(line)
                entries += self._readable(line)
                if len(entries) == DRAINED_AT_ONCE:
                    return entries, start
            return entries, end

    def _readable(self, line: bytes) -> list[Waiting]:
        try:
            return [read(line)]
        except UnreadableLineError:
            self.set_aside(line)
            return []

    def _opened(self) -> int:
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _sync_folder(self.path.parent)
                self._end = _end_of_lines(self.path)  # whose it was may have gone on until now
                self._drop_rest(descriptor)
            except BaseException as error:
                os.close(descriptor)
                if isinstance(error, BlockingIOError):
                    raise SpoolTakenError(0, "another process uses the spool") from None
                raise
            self._descriptor = descriptor
        return self._descriptor

    def _drop_rest(self, descriptor: int) -> None:
        """Set aside what follows the last line: a part of one, or one whose end is damaged."""
        length = os.fstat(descriptor).st_size - self._end
        rest = os.pread(descriptor, length, self._end).rstrip(b"\0")
        if rest:
            self.set_aside(rest + b"\n")
            os.pwrite(descriptor, bytes(len(rest)), self._end)


def spool_path(database: Path | None, token: str, settings: Settings | None) -> Path:
    """Return the file in which this bot's entries wait: beside the database if that is a file."""
    file = _spooled(database, settings)
    bot_id = token.partition(":")[0]
    return file.with_name(f"{file.name}.spool-{bot_id}")


def spools(database: Path | None, settings: Settings | None) -> list[Path]:
    """Return the files in which entries of any bot wait or were set aside, as `spool_path` does."""
    file = _spooled(database, settings)
    found = file.parent.glob(f"{glob.escape(file.name)}.spool-*")
    return sorted({each.with_name(each.name.removesuffix(_ASIDE)) for each in found})


def unreadable_lines(path: Path) -> tuple[int, int]:
    """Return how many lines of a spool cannot be read, and how many were set aside before.

    Nothing is changed, also where another process uses the spool; it may be writing the last line.
    """
    whole = [line for line in _lines_of(path) if line.endswith(b"\n")]
    aside = path.with_name(f"{path.name}{_ASIDE}")
    return sum(not is_readable(line) for line in whole), len(_lines_of(aside))


def _spooled(database: Path | None, settings: Settings | None) -> Path:
    return database or Path(settings.home if settings else ".") / "ledger"


def _end_of_lines(path: Path) -> int:
    """Return where the last whole line ends; a power cut may have left a partial one after it."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - _READ_AT_ONCE)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def _sync_folder(folder: Path) -> None:
    # Without this the file itself may be gone after a power cut.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, content: bytes, start: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, start)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        content, start = content[written:], start + written


def _lines(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(start)
        while start < end and (line := file.readline()):
            start += len(line)
            yield line


def _lines_of(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    with path.open("rb") as file:
        return file.readlines()
