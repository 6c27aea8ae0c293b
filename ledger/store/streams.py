"""Positions and versions within one transaction: the head of the ledger, and its streams."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, bindparam, func, insert, select, update

from ledger.errors import ClockBehindError
from ledger.instants import DAY, Instant, iso
from ledger.store import tables
from ledger.store.rows import checked, checksum, with_checksum
from ledger.store.statements import Query, Statement, stored_uuid, value

# The head of the ledger within one transaction: the last position and instant, and the policy.

_h = tables.head
_ID = 1
_, *_FIELDS = _h.c.keys()
_WRITE = Statement(
    update(_h).values({name: bindparam(f"{name}_") for name in _FIELDS}),
    *(f"{name}_" for name in _FIELDS),
)


@dataclass(slots=True)
class Head:
    """The end of the total order; `advance` moves it, and nothing moves it back."""

    position: int
    recorded_at: Instant
    policy_version: int
    sources_sum: int | None

    @classmethod
    def read(cls, connection: Connection) -> "Head":
        """Return the head, locked until the transaction ends.

        Raises LedgerDamagedError if its checksum does not match.
        """
        return _HEAD.one(connection)

    def copy(self) -> "Head":
        """An independent head at the same position."""
        return Head(self.position, self.recorded_at, self.policy_version, self.sources_sum)

    def advance(self, now: Instant) -> None:
        """Use `now` as the instant of the next events, unless it is earlier than the last (R8).

        Raises ClockBehindError if the clock is more than a day behind.
        """
        if now < self.recorded_at - DAY:
            message = (
                f"the clock says {iso(now)}, but the ledger's last event was recorded at "
                f"{iso(self.recorded_at)}; set the clock right (`engagement doctor` explains)"
            )
            raise ClockBehindError(message)
        self.recorded_at = max(now, self.recorded_at)

    def next_position(self) -> int:
        """Allocate the next position."""
        self.position += 1
        return self.position

    def write(self, connection: Connection) -> None:
        """Store the head, which triggers require before events up to it are inserted."""
        row = (_ID, self.position, self.recorded_at, self.policy_version, self.sources_sum)
        _, *written = with_checksum(_h.name, row)
        _WRITE.run(connection, *written)


def _head(*row: object) -> Head:
    _, *fields = checked(_h.name, row)
    return Head(*fields)


# The lock serializes appends if the database allows several writers at once.
_HEAD = Query(_head, select(_h).with_for_update())


# Streams within one transaction: their numbers, and the next version of each.
#
# The last version is that of the last hot event. The row of a stream only has it if none of its
# events is hot: recording does not write the row, and sealing does before it deletes the events.

_t = tables.streams

_of_stream = tables.events.c.stream == _t.c.id
_LAST_HOT = select(func.max(tables.events.c.version)).where(_of_stream).scalar_subquery()
NO_VERSION = -1


@dataclass(slots=True)
class Stream:
    """An interned account or aggregate, and its last version."""

    id: int
    originator_id: bytes
    version: int = NO_VERSION


def _stream(*row: Any) -> Stream:  # noqa: ANN401 - of any column
    *stored, last_hot = row
    stream = Stream(*checked(_t.name, stored))
    if last_hot is not None:
        stream.version = max(stream.version, last_hot)
    return stream


_WHOLE = select(*_t.c, _LAST_HOT)
_BY_USER = Query(
    _stream,
    _WHOLE.join(tables.accounts).where(tables.accounts.c.user_id == bindparam("user_id")),
    "user_id",
)
BY_NUMBER = Query(_stream, _WHOLE.where(_t.c.id == bindparam("id")), "id")
"""Finds a stream by its number."""

_BY_ORIGINATOR = Query(
    _stream, _WHOLE.where(_t.c.originator_id == bindparam("originator_id")), "originator_id"
)
_NEW_STREAM: Query[int] = Query(
    value,
    insert(_t)
    .values(originator_id=bindparam("originator_id"), version=bindparam("version"))
    .returning(_t.c.id),
    "originator_id",
    "version",
)
_NEW_ACCOUNT = Statement(insert(tables.accounts), *tables.accounts.c.keys())
_WRITE_VERSION = Statement(
    update(_t)
    .values(version=bindparam("version_"), checksum=bindparam("checksum_"))
    .where(_t.c.id == bindparam("id_")),
    "version_",
    "checksum_",
    "id_",
)
_IN_RANGE = Query(
    _stream,
    select(_t, func.max(tables.events.c.version))
    .join(tables.events, _of_stream)
    .where(
        tables.events.c.position >= bindparam("first"),
        tables.events.c.position <= bindparam("last"),
    )
    .group_by(_t.c.id),
    "first",
    "last",
)

_OWN = select(tables.ledger.c.originator_id)


class Streams:
    """The streams that one transaction appends to, each read once."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the transaction of `connection`."""
        self._connection = connection
        self._by_user: dict[str, Stream] = {}
        self._by_originator: dict[UUID, Stream] = {}

    def __len__(self) -> int:
        """The number of streams that were read."""
        return len(self._by_user) + len(self._by_originator)

    def of_user(self, user_id: str) -> Stream:
        """The stream of the user's account; a missing account or stream is created."""
        stream = self.known(user_id)
        if stream is None:
            stream = self._by_user[user_id] = self._new_account(user_id)
        return stream

    def known(self, user_id: str) -> Stream | None:
        """The stream of the user's account, or None if there is no account."""
        stream = self._by_user.get(user_id)
        if stream is None:
            stream = _BY_USER.first(self._connection, user_id)
            if stream is not None:
                self._by_user[user_id] = stream
        return stream

    def of_originator(self, originator_id: UUID) -> Stream:
        """The stream of an account or aggregate by its UUID; a missing one is created."""
        stream = self._by_originator.get(originator_id)
        if stream is None:
            stream = _BY_ORIGINATOR.first(self._connection, originator_id.bytes)
            stream = stream or self._new_stream(originator_id)
            self._by_originator[originator_id] = stream
        return stream

    def own(self) -> tuple[UUID, Stream]:
        """The ledger's own stream, and its UUID."""
        own_id = stored_uuid(self._connection.scalar(_OWN) or b"")
        return own_id, self.of_originator(own_id)

    def _new_account(self, user_id: str) -> Stream:
        stream = self._new_stream(uuid4())
        account = with_checksum(tables.accounts.name, (stream.id, user_id, None))
        _NEW_ACCOUNT.run(self._connection, *account)
        return stream

    def _new_stream(self, originator_id: UUID) -> Stream:
        number = _NEW_STREAM.one(self._connection, originator_id.bytes, NO_VERSION)
        stream = Stream(number, originator_id.bytes)
        _write(self._connection, [stream])  # the checksum covers the number
        return stream


def keep_versions(connection: Connection, first: int, last: int) -> None:
    """Write the last version of each stream that has events in a range, before they are deleted."""
    _write(connection, list(_IN_RANGE.all(connection, first, last)))


def _write(connection: Connection, streams: Iterable[Stream]) -> None:
    rows = [
        (each.version, checksum(_t.name, (each.id, each.originator_id, each.version)), each.id)
        for each in streams
    ]
    _WRITE_VERSION.run_many(connection, rows)
