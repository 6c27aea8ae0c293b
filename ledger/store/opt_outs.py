"""Opt-outs and deletions within one transaction: the barrier of each user."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select

from ledger.commands import FOREVER
from ledger.idempotency import user_digest
from ledger.instants import Instant
from ledger.store import tables
from ledger.store.barriers import Barrier, BarrierFile
from ledger.store.checksums import change, checked, is_sound, with_checksum
from ledger.store.statements import Statement

_t = tables.opt_outs

_ROW = Statement(select(_t).where(_t.c.user_digest == bindparam("digest")), "digest")
_ALL = Statement(select(_t))
_LATEST = Statement(
    select(func.max(_t.c.before_at)).where(_t.c.before_at < bindparam("forever")), "forever"
)
_LATEST_ERASED = Statement(select(func.max(_t.c.erased_at)))
_INSERT = Statement(insert(_t), *_t.c.keys())

_NEVER = Instant(-(2**63))

_Row = tuple[Instant, Instant | None, int]
_NO_ROW: _Row = (_NEVER, None, 0)


class OptOuts:
    """The opt-outs that one transaction reads, each once, and changes at once."""

    def __init__(self, connection: Connection, secret: bytes, file: BarrierFile | None) -> None:
        """Work inside the transaction of `connection`; `secret` is the ledger's digest key.

        Every change is also written to the file of barriers before it can commit.
        """
        self._connection = connection
        self._secret = secret
        self._file = file
        self._find = _ROW.finder(connection)
        self._rows: dict[str, _Row] = {}

    def refuses(self, user_id: str, occurred_at: Instant) -> bool:
        """Whether a barrier of the user keeps out what occurred then."""
        return occurred_at < self._row(user_id)[0]

    def knows(self, user_id: str) -> bool:
        """Whether the user ever opted out or was forgotten."""
        return self._row(user_id) is not _NO_ROW

    def has_traces(self, user_id: str) -> bool:
        """Whether deleted bytes of the user's may still be in the database's files."""
        return bool(self._row(user_id)[2])

    def put(self, user_id: str, before: Instant) -> None:
        """Opt out or in; the barrier never moves to before the last deletion.

        An opt-in only counts after an opt-out, or it would bar a past that was never refused.
        """
        in_force, erased_at, traces = self._row(user_id)
        if FOREVER not in {before, in_force}:
            return
        before = before if erased_at is None else max(before, erased_at)
        self._write(user_id, (before, erased_at, traces))

    def erase(self, user_id: str, at: Instant, *, traces: bool) -> None:
        """Bar for ever what occurred before `at`; an opt-out stays in force."""
        before, erased_at, had_traces = self._row(user_id)
        erased_at = at if erased_at is None else max(at, erased_at)
        self._write(user_id, (max(before, at), erased_at, int(traces or had_traces)))

    def clear_traces(self, user_id: str) -> None:
        """Note that no deleted byte of the user is left."""
        before, erased_at, _ = self._row(user_id)
        self._write(user_id, (before, erased_at, 0))

    def _row(self, user_id: str) -> _Row:
        row = self._rows.get(user_id)
        if row is None:
            found = self._find(user_digest(user_id, self._secret))
            row = self._rows[user_id] = _NO_ROW if found is None else _row_of(found)
        return row

    def _write(self, user_id: str, row: _Row) -> None:
        before = self._row(user_id)
        digest = user_digest(user_id, self._secret)
        if self._file is not None and row[:2] != before[:2]:
            self._file.append(own_id(self._connection), {digest: Barrier(*row[:2])})
        if self.knows(user_id):
            new = dict(zip(_t.c.keys()[1:], row, strict=False))  # all but the checksum
            change(self._connection, _t, _t.c.user_digest == digest, **new)
        else:
            _INSERT.run(self._connection, *with_checksum(_t.name, (digest, *row)))
        self._rows[user_id] = row


def _row_of(row: Sequence[Any]) -> _Row:
    _, before_at, erased_at, traces = checked(_t.name, row)
    return before_at, erased_at, traces


def own_id(connection: Connection) -> bytes:
    """The id that distinguishes this ledger from others."""
    found: bytes = connection.execute(select(tables.ledger.c.originator_id)).scalar_one()
    return found


def barriers(connection: Connection) -> dict[bytes, Barrier | None]:
    """The barriers of all users by digest, with None for damaged rows."""
    return {
        row[0]: Barrier(*row[1:3]) if is_sound(_t.name, row) else None
        for row in _ALL.run(connection)
    }


def put_barrier(connection: Connection, digest: bytes, barrier: Barrier, *, traces: bool) -> None:
    """Store a user's barrier; `traces` means that deleted bytes may still be in the files."""
    values = barrier._asdict() | ({"traces": 1} if traces else {})
    if not change(connection, _t, _t.c.user_digest == digest, **values):
        _INSERT.run(connection, *with_checksum(_t.name, (digest, *barrier, int(traces))))


def latest_barrier_at(connection: Connection) -> Instant | None:
    """The latest instant of a barrier, except for opt-outs in force."""
    (before,) = _LATEST.run(connection, FOREVER).fetchone()
    (erased,) = _LATEST_ERASED.run(connection).fetchone()
    return max(filter(None, (before, erased)), default=None)


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
