"""The spool's file: entries that could not be recorded, in order, a checked line each."""

import errno
import fcntl
import glob
import logging
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import msgspec

from bot.listening.classification import Entry, Migration, Sender
from bot.settings import Settings
from ledger.commands import Hiding, Interaction, OptOut, checked, checked_hiding, checked_opt_out
from ledger.errors import InvalidInteractionError

# The spool's line format: one entry per line, with a checksum, validated by R1 when read.
#
# A line is the CRC-32 of the rest as eight hexadecimal digits, a space, and JSON: the entry's type,
# the entry and, if the gate could not decide, its sender. Older lines are JSON alone.

_TYPES: dict[str, type[Entry]] = {
    "interaction": Interaction,
    "hiding": Hiding,
    "opt-out": OptOut,
    "migration": Migration,
}
_NAMES = {each: name for name, each in _TYPES.items()}
_CHECKED = re.compile(rb"([0-9a-f]{8}) (.*)\n", re.DOTALL)


class UnreadableLineError(Exception):
    """A line that is damaged, or whose entry breaks R1."""


class Waiting(NamedTuple):
    """A waiting entry, and its sender if the gate has not decided about them yet."""

    entry: Entry
    sender: Sender | None = None


def line_of(waiting: Waiting) -> bytes:
    """Encode a waiting entry for `read`."""
    entry, sender = waiting
    parts = (_NAMES[type(entry)], entry) if sender is None else (_NAMES[type(entry)], *waiting)
    content = msgspec.json.encode(parts)
    return b"%08x %b\n" % (zlib.crc32(content), content)


def read(line: bytes) -> Waiting:
    """Decode `line`; raises UnreadableLineError."""
    try:
        name, entry, *sender = msgspec.json.decode(_content_of(line), type=list[msgspec.Raw])
        return Waiting(
            _checked(msgspec.json.decode(entry, type=_TYPES[msgspec.json.decode(name, type=str)])),
            msgspec.json.decode(sender[0], type=Sender) if sender else None,
        )
    except (msgspec.MsgspecError, InvalidInteractionError, ValueError, LookupError) as error:
        raise UnreadableLineError(type(error).__name__) from None


def is_readable(line: bytes) -> bool:
    """Whether `read` can decode `line`."""
    try:
        read(line)
    except UnreadableLineError:
        return False
    return True


def is_of(line: bytes, user_id: str) -> bool:
    """Whether `line` may be about a user, as a damaged one may."""
    try:
        content = msgspec.json.decode(_content_of(line))
        return str(content[1].get("user_id")) == user_id
    except (msgspec.MsgspecError, UnreadableLineError, ValueError, LookupError, AttributeError):
        return True


def _content_of(line: bytes) -> bytes:
    if line.startswith(b"["):
        return line
    found = _CHECKED.fullmatch(line)
    if found is None or int(found[1], 16) != zlib.crc32(found[2]):
        raise UnreadableLineError("checksum")
    return found[2]


def _checked(entry: Entry) -> Entry:
    # Decoding a struct does not check what `interaction_of` checks.
    match entry:
        case Interaction():
            return checked(entry)
        case Hiding():
            return checked_hiding(entry)
        case OptOut():
            return checked_opt_out(entry)
        case Migration():
            return entry


# When `append` returns, the entries survive a power cut. Entries that are drained twice, because
# the process ended in between, are counted once by their source keys. The file is larger than its
# entries: space is reserved ahead, as NULs, in case the disk is full later.

_log = logging.getLogger(__name__)

DRAINED_AT_ONCE = 256
RESERVED_BYTES = 2**20
"""Bytes that are reserved at a time, enough for some two thousand typical entries."""
SPARE_BYTES = RESERVED_BYTES // 2
"""Bytes of reserved space behind the entries, as long as the disk has room."""
SET_ASIDE_BYTES = 2**20
"""The most unreadable lines that are kept; further ones are only logged."""

_ASIDE = ".unreadable"
_READ_AT_ONCE = 65_536
_NO_ROOM = "no room for a spool"


class SpoolTakenError(OSError):
    """Another process is using this spool."""


class Spool:
    """One process's file of waiting entries; thread-safe."""

    def __init__(self, path: Path) -> None:
        """Use the file `path`, which `reserve` or the first entry creates."""
        self.path = path
        self.aside = path.with_name(f"{path.name}{_ASIDE}")
        # `_draining` lets one thread drain: it is held while entries are recorded, and taken before
        # `_lock`, so entries are recorded in order while others are appended.
        self._draining = Lock()
        # `_lock` guards the file and its state: `_descriptor`, which holds the lock of
        # the process and is None while nothing waits, and `_end`, the end of the last complete
        # line: all entries before it are durable. `is_empty` reads `_end` without the lock.
        # `_is_short` is whether reserving space has failed, so that a warning is not repeated.
        self._lock = Lock()
        self._descriptor: int | None = None
        self._end = _end_of_lines(path)
        self._is_short = False
        # `_setting_aside` guards the file `aside`, which is read and rewritten as a whole; taken
        # last.
        self._setting_aside = Lock()

    @property
    def is_empty(self) -> bool:
        """Whether no entry waits."""
        return self._end == 0

    def reserve(self) -> None:
        """Reserve disk space in advance; failure is only logged."""
        with self._lock:
            try:
                self._make_room(self._opened(), 1)
            except OSError as error:
                _log.warning(_NO_ROOM, extra={"error": error.strerror})
            if self._end == 0:
                self._give_back()

    def append(self, waiting: Sequence[Waiting]) -> None:
        """Append entries durably, all or none; raises OSError on failure."""
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

        Errors of `record` propagate, and the entries stay. A second caller waits for the first.
        Unreadable lines are set aside and skipped.
        """
        with self._draining:
            done = 0
            while not self._is_through(done):
                entries, done = self._read(done)
                if entries:
                    record(entries)

    def set_aside(self, line: bytes) -> None:
        """Copy a line that cannot be recorded to the file `aside`, for manual inspection.

        Failed drains are repeated, so a line may be passed many times; it is kept once.
        """
        with self._setting_aside:
            kept = _lines_of(self.aside)
            if line in kept:
                return
            has_room = sum(map(len, kept)) + len(line) <= SET_ASIDE_BYTES
            _log.error("spool line unreadable", extra={"bytes": len(line), "kept": has_room})
            if has_room:
                self._write_aside([*kept, line])

    def forget(self, user_id: str) -> None:
        """Delete lines that were set aside and may be about the user."""
        with self._setting_aside:
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
        """Release the file for other processes."""
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
        """Undo a failed append, so that no part of it can be read as a line.

        If this fails as well, the checksums reveal the partial line. The file is reopened next
        time, since a descriptor may stay unusable after an I/O error.
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
            self._give_back()  # an empty spool is not locked
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
                self._end = _end_of_lines(self.path)  # its former owner may have written until now
                _sync_folder(self.path.parent)
                self._drop_rest(descriptor)
            except BaseException as error:
                os.close(descriptor)
                if isinstance(error, BlockingIOError):
                    raise SpoolTakenError(0, "another process uses the spool") from None
                raise
            self._descriptor = descriptor
        return self._descriptor

    def _drop_rest(self, descriptor: int) -> None:
        """Set aside the bytes after the last line: a partial line, or one with a damaged end."""
        length = os.fstat(descriptor).st_size - self._end
        rest = os.pread(descriptor, length, self._end).rstrip(b"\0")
        if rest:
            self.set_aside(rest + b"\n")
            os.pwrite(descriptor, bytes(len(rest)), self._end)


def spool_path(database: Path | None, token: str, settings: Settings | None) -> Path:
    """The path of this bot's spool: beside the database if that is a file, else in `home`."""
    file = _spooled(database, settings)
    bot_id = token.partition(":")[0]
    return file.with_name(f"{file.name}.spool-{bot_id}")


def spools(database: Path | None, settings: Settings | None) -> list[Path]:
    """The paths of all spools and set-aside files, of any bot, in the folder of `spool_path`."""
    file = _spooled(database, settings)
    found = file.parent.glob(f"{glob.escape(file.name)}.spool-*")
    return sorted({each.with_name(each.name.removesuffix(_ASIDE)) for each in found})


def unreadable_lines(path: Path) -> tuple[int, int]:
    """Count the unreadable lines of a spool, and those that were set aside before.

    This only reads, so another process may be using the spool, and be writing the last line.
    """
    whole = [line for line in _lines_of(path) if line.endswith(b"\n")]
    aside = path.with_name(f"{path.name}{_ASIDE}")
    return sum(not is_readable(line) for line in whole), len(_lines_of(aside))


def _spooled(database: Path | None, settings: Settings | None) -> Path:
    return database or Path(settings.home if settings else ".") / "ledger"


def _end_of_lines(path: Path) -> int:
    """The offset of the end of the last complete line; a power cut may leave a partial one."""
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
    # Without syncing the folder, a new file may be lost in a power cut.
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
