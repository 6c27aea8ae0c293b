"""Barriers in a file next to the database: opt-outs and deletions survive restoring a backup.

The file is append-only. Each line has a checksum and names its ledger. A user's last line is in
force, except that no line undoes a deletion. A line for a correction of the clock moves earlier
barriers that lie after it back to the right time. Every change is on the disk before its
transaction commits. Users appear as digests of their ids only (R11).
"""

import logging
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ledger.archive.syncing import sync
from ledger.commands import FOREVER
from ledger.errors import LedgerUnavailableError
from ledger.instants import Instant

_log = logging.getLogger(__name__)

GROWN = 1_000
"""The file is rewritten when it has this many more lines than users."""

_NONE = "-"
_CLOCK = b""
"""Written instead of a digest for a correction of the clock."""


class Barrier(NamedTuple):
    """A barrier: nothing before `before_at` is recorded; `erased_at` is the last deletion."""

    before_at: Instant
    erased_at: Instant | None = None

    def then(self, later: "Barrier") -> "Barrier":
        """The barrier in force after a later one is noted."""
        erased = max(filter(None, (self.erased_at, later.erased_at)), default=None)
        before = later.before_at if erased is None else max(later.before_at, erased)
        return Barrier(before, erased)

    def by(self, at: Instant) -> "Barrier":
        """The barrier with instants of at most `at`, after a clock had run ahead."""
        before = self.before_at if self.before_at == FOREVER else min(self.before_at, at)
        return Barrier(before, None if self.erased_at is None else min(self.erased_at, at))


class Noted(NamedTuple):
    """The barriers of a ledger by digest, the number of lines, and the unreadable lines."""

    barriers: dict[bytes, Barrier]
    lines: int
    unreadable: list[bytes]

    @property
    def has_grown(self) -> bool:
        """Whether many lines are obsolete."""
        return self.lines > len(self.barriers) + len(self.unreadable) + GROWN


class BarrierFile:
    """The barriers of a ledger in a file; writing to it requires the writers' lock.

    Raises LedgerUnavailableError if the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        """Use the file `path`, which is created with the first barrier."""
        self.path = path

    def append(self, ledger_id: bytes, barriers: Mapping[bytes, Barrier]) -> None:
        """Append barriers by digest of user id; when this returns, they survive a power cut."""
        self._append(b"".join(_line(ledger_id, *each) for each in barriers.items()))

    def correct(self, ledger_id: bytes, at: Instant) -> None:
        """Append a correction of the clock to `at`; when this returns, it survives a power cut."""
        self._append(_line(ledger_id, _CLOCK, Barrier(at)))

    def _append(self, lines: bytes) -> None:
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            with os.fdopen(os.open(self.path, flags, 0o600), "ab") as file:
                file.write(_missing_end(file.fileno()) + lines)
                file.flush()
                os.fsync(file.fileno())
            sync(self.path.parent)
        except OSError as error:
            raise _unavailable("written", error) from error

    def read(self, ledger_id: bytes) -> Noted:
        """Return this ledger's barriers; damaged lines and those of other ledgers are skipped."""
        barriers: dict[bytes, Barrier] = {}
        unreadable: list[bytes] = []
        lines = self._lines()
        for line in lines:
            found = _read(ledger_id, line)
            if found is None:
                unreadable.append(line)
                continue
            digest, barrier = found
            if digest == _CLOCK:
                barriers = {each: of.by(barrier.before_at) for each, of in barriers.items()}
            else:
                before = barriers.get(digest)
                barriers[digest] = before.then(barrier) if before else barrier
        return Noted(barriers, len(lines), unreadable)

    def compact(self, ledger_id: bytes, noted: Noted) -> None:
        """Rewrite the file if it has grown: one line per user, and the unreadable lines."""
        if not noted.has_grown:
            return
        lines = [_line(ledger_id, *each) for each in noted.barriers.items()]
        unfinished = self.path.with_name(f"{self.path.name}.unfinished")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as new:
                new.writelines([*(line + b"\n" for line in noted.unreadable), *lines])
                new.flush()
                os.fsync(new.fileno())
            unfinished.rename(self.path)
            sync(self.path.parent)
        except OSError as error:
            raise _unavailable("written", error) from error

    def is_empty(self) -> bool:
        """Whether no barrier was ever noted."""
        return not self._lines()

    def _lines(self) -> list[bytes]:
        try:
            return [line for line in self.path.read_bytes().split(b"\n") if line]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unavailable("read", error) from error


def _missing_end(descriptor: int) -> bytes:
    """The line end that a power cut has cut off, if any."""
    size = os.fstat(descriptor).st_size
    return b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""


def _line(ledger_id: bytes, digest: bytes, barrier: Barrier) -> bytes:
    erased = _NONE if barrier.erased_at is None else str(barrier.erased_at)
    said = f"{ledger_id.hex()} {digest.hex()} {barrier.before_at} {erased}".encode()
    return b"%08x %s\n" % (zlib.crc32(said), said)


def _read(ledger_id: bytes, line: bytes) -> tuple[bytes, Barrier] | None:
    check, _, said = line.partition(b" ")
    try:
        ledger, digest, before, erased = said.decode().split(" ")
        if check != b"%08x" % zlib.crc32(said) or ledger != ledger_id.hex():
            return None
        erased_at = None if erased == _NONE else Instant(int(erased))
        return bytes.fromhex(digest), Barrier(Instant(int(before)), erased_at)
    except ValueError:  # such as a decoding error
        return None


def _unavailable(what: str, error: OSError) -> LedgerUnavailableError:
    message = f"the file of barriers beside the ledger cannot be {what}: {error.strerror}"
    return LedgerUnavailableError(message)
