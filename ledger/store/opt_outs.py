"""Opt-outs, and their barriers in a file, which survive the restoring of a backup (R11)."""

import logging
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select

from ledger.archive.file_integrity import sync
from ledger.commands import FOREVER
from ledger.errors import LedgerUnavailableError
from ledger.idempotency import user_digest
from ledger.instants import Instant
from ledger.store import tables
from ledger.store.rows import change, checked, is_sound, with_checksum
from ledger.store.statements import Query, Statement, stored_uuid, value

# Barriers in a file next to the database: opt-outs and deletions survive restoring a backup.
#
# The file is append-only. Each line has a checksum and names its ledger. A user's last line is in
# force, except that no line undoes a deletion. A line for a correction of the clock moves earlier
# barriers that lie after it back to the right time. Every change is on the disk before its
# transaction commits. Users appear as digests of their ids only (R11).

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


# Opt-outs and deletions within one transaction: the barrier of each user.

_t = tables.opt_outs

_NEVER = Instant(-(2**63))


class _InForce(NamedTuple):
    """A row of opt-outs, without the user's digest."""

    barrier: Barrier = Barrier(_NEVER)
    traces: int = 0


_NONE_IN_FORCE = _InForce()


def _in_force(*row: Any) -> _InForce:  # noqa: ANN401 - of any column
    _, before_at, erased_at, traces = checked(_t.name, row)
    return _InForce(Barrier(before_at, erased_at), traces)


def _by_digest(*row: Any) -> tuple[bytes, Barrier | None]:  # noqa: ANN401 - of any column
    digest, before_at, erased_at, *_ = row
    # A flipped bit can turn all values into NULLs: then there is no checksum that does not match.
    is_whole = isinstance(digest, bytes) and isinstance(before_at, int)
    return digest, Barrier(before_at, erased_at) if is_whole and is_sound(_t.name, row) else None


_OF_USER = Query(_in_force, select(_t).where(_t.c.user_digest == bindparam("digest")), "digest")
_ALL = Query(_by_digest, select(_t))
_LATEST: Query[Instant | None] = Query(
    value, select(func.max(_t.c.before_at)).where(_t.c.before_at < bindparam("forever")), "forever"
)
_LATEST_ERASED: Query[Instant | None] = Query(value, select(func.max(_t.c.erased_at)))
_INSERT = Statement(insert(_t), *_t.c.keys())


class OptOuts:
    """The opt-outs that one transaction reads, each once, and changes at once."""

    def __init__(self, connection: Connection, secret: bytes, file: BarrierFile | None) -> None:
        """Work inside the transaction of `connection`; `secret` is the ledger's digest key.

        Every change is also written to the file of barriers before it can commit.
        """
        self._connection = connection
        self._secret = secret
        self._file = file
        self._find = _OF_USER.finder(connection)
        self._known: dict[str, _InForce] = {}

    def refuses(self, user_id: str, occurred_at: Instant) -> bool:
        """Whether a barrier of the user keeps out what occurred then."""
        return occurred_at < self._in_force(user_id).barrier.before_at

    def knows(self, user_id: str) -> bool:
        """Whether the user ever opted out or was forgotten."""
        return self._in_force(user_id) is not _NONE_IN_FORCE

    def is_forgotten(self, user_id: str) -> bool:
        """Whether the user was ever forgotten."""
        return self._in_force(user_id).barrier.erased_at is not None

    def has_traces(self, user_id: str) -> bool:
        """Whether deleted bytes of the user's may still be in the database's files."""
        return bool(self._in_force(user_id).traces)

    def put(self, user_id: str, before: Instant) -> None:
        """Opt out or in; the barrier never moves to before the last deletion.

        An opt-in only counts after an opt-out, or it would bar a past that was never refused.
        """
        (in_force, erased_at), traces = self._in_force(user_id)
        if FOREVER not in {before, in_force}:
            return
        before = before if erased_at is None else max(before, erased_at)
        self._write(user_id, _InForce(Barrier(before, erased_at), traces))

    def erase(self, user_id: str, at: Instant, *, traces: bool) -> None:
        """Bar for ever what occurred before `at`; an opt-out stays in force."""
        (before, erased_at), had_traces = self._in_force(user_id)
        barrier = Barrier(max(before, at), at if erased_at is None else max(at, erased_at))
        self._write(user_id, _InForce(barrier, int(traces or had_traces)))

    def clear_traces(self, user_id: str) -> None:
        """Note that no deleted byte of the user is left."""
        self._write(user_id, self._in_force(user_id)._replace(traces=0))

    def _in_force(self, user_id: str) -> _InForce:
        known = self._known.get(user_id)
        if known is None:
            found = self._find(user_digest(user_id, self._secret))
            known = self._known[user_id] = found or _NONE_IN_FORCE
        return known

    def _write(self, user_id: str, new: _InForce) -> None:
        before, digest = self._in_force(user_id), user_digest(user_id, self._secret)
        if self._file is not None and new.barrier != before.barrier:
            self._file.append(own_id(self._connection), {digest: new.barrier})
        if self.knows(user_id):
            values = {**new.barrier._asdict(), "traces": new.traces}
            change(self._connection, _t, _t.c.user_digest == digest, **values)
        else:
            row = (digest, *new.barrier, new.traces)
            _INSERT.run(self._connection, *with_checksum(_t.name, row))
        self._known[user_id] = new


_OWN_ID = Query(stored_uuid, select(tables.ledger.c.originator_id))


def own_id(connection: Connection) -> bytes:
    """The id that distinguishes this ledger from others."""
    return _OWN_ID.one(connection).bytes


def barriers(connection: Connection) -> dict[bytes, Barrier | None]:
    """The barriers of all users by digest, with None for damaged rows."""
    return dict(_ALL.all(connection))


def put_barrier(connection: Connection, digest: bytes, barrier: Barrier, *, traces: bool) -> None:
    """Store a user's barrier; `traces` means that deleted bytes may still be in the files."""
    values = barrier._asdict() | ({"traces": 1} if traces else {})
    if not change(connection, _t, _t.c.user_digest == digest, **values):
        _INSERT.run(connection, *with_checksum(_t.name, (digest, *barrier, int(traces))))


def latest_barrier_at(connection: Connection) -> Instant | None:
    """The latest instant of a barrier, except for opt-outs in force."""
    latest = _LATEST.one(connection, FOREVER), _LATEST_ERASED.one(connection)
    return max(filter(None, latest), default=None)


def correct_barriers(connection: Connection, file: BarrierFile | None, at: Instant) -> None:
    """Move barriers after `at` back to it, following a correction of the clock."""
    ahead = {
        digest: barrier
        for digest, barrier in barriers(connection).items()
        if barrier is not None and barrier != barrier.by(at)
    }
    if ahead and file is not None:
        file.correct(own_id(connection), at)
    for digest, barrier in ahead.items():
        put_barrier(connection, digest, barrier.by(at), traces=False)
