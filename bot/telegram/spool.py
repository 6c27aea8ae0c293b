"""The spool: what could not be recorded waits in a file, in its order, until it can be.

One line of JSON an entry. What `append` returned from survives a power cut; what is drained twice,
because the process ended in between, is counted once by its source keys.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock

import msgspec

from bot.classification import Entry, Migration
from ledger.interaction import Interaction, OptOut

_log = logging.getLogger(__name__)

DRAINED_AT_ONCE = 256
LONGEST_LINE_BYTES = 65_536
"""Many times what an entry's limits allow."""

_TYPES: dict[str, type[Entry]] = {
    "interaction": Interaction,
    "opt-out": OptOut,
    "migration": Migration,
}
_NAMES = {each: name for name, each in _TYPES.items()}


class SpoolTakenError(OSError):
    """Another process keeps its entries in this spool."""


class Spool:
    """One process's file of entries that wait; every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """Keep entries in `path`, which is made when the first one comes."""
        self.path = path
        self._lock = Lock()
        self._draining = Lock()
        self._descriptor: int | None = None
        self._end = _end_of_lines(path)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing waits."""
        return self._end == 0

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep `entries` durably, all or none; raise OSError where that fails."""
        lines = b"".join(_line(entry) for entry in entries)
        with self._lock:
            descriptor = self._opened()
            try:
                written = os.pwrite(descriptor, lines, self._end)
                os.fsync(descriptor)
            except OSError:
                written = 0
            if written < len(lines):
                os.ftruncate(descriptor, self._end)
                raise OSError(0, "the spool cannot be written")
            self._end += len(lines)

    def drain(self, record: Callable[[Sequence[Entry]], object]) -> None:
        """Hand what waits to `record`, in its order, and forget it once all is recorded.

        Whatever `record` raises ends it; the entries then wait on. A second caller has its turn
        when the first is done.
        """
        with self._draining:
            done = 0
            while not self._is_through(done):
                entries, done = self._read(done)
                if entries:
                    record(entries)

    def close(self) -> None:
        """Give the file back to whoever comes next."""
        with self._lock:
            self._give_back()

    def _give_back(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_through(self, done: int) -> bool:
        with self._lock:
            if done < self._end:
                return False
            if done:
                os.ftruncate(self._opened(), 0)
                self._end = 0
                os.fsync(self._opened())
            self._give_back()  # it is nobody's while nothing waits in it
            return True

    def _read(self, start: int) -> tuple[list[Entry], int]:
        with self._lock:
            descriptor, end = self._opened(), self._end
            entries: list[Entry] = []
            for line in _lines(descriptor, start, end):
                start += len(line)
                entries += _entries(line)
                if len(entries) == DRAINED_AT_ONCE:
                    return entries, start
            return entries, end

    def _opened(self) -> int:
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _sync_folder(self.path.parent)
                self._end = _end_of_lines(self.path)  # whose it was may have gone on until now
            except OSError as error:
                os.close(descriptor)
                if isinstance(error, BlockingIOError):
                    raise SpoolTakenError(0, "another process uses the spool") from None
                raise
            self._descriptor = descriptor
        return self._descriptor


def _end_of_lines(path: Path) -> int:
    """Return where the last whole line ends: a power cut may have left half of one behind it."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - LONGEST_LINE_BYTES)
        file.seek(start)
        return start + file.read().rfind(b"\n") + 1


def _sync_folder(folder: Path) -> None:
    # Without this the file itself may be gone after a power cut.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(entry: Entry) -> bytes:
    return msgspec.json.encode((_NAMES[type(entry)], entry)) + b"\n"


def _lines(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(start)
        while start < end and (line := file.readline()):
            start += len(line)
            yield line


def _entries(line: bytes) -> list[Entry]:
    try:
        name, raw = msgspec.json.decode(line, type=tuple[str, msgspec.Raw])
        return [msgspec.json.decode(raw, type=_TYPES[name])]
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError):
        _log.warning("spool line unreadable", extra={"bytes": len(line)})
        return []
