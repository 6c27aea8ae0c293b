"""Streams within one transaction: which number stands for whom, and which version comes next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, bindparam, insert, select, update

from ledger.store import tables
from ledger.store.checksums import checked, checksum, with_checksum
from ledger.store.decoding import stored_uuid
from ledger.store.statements import Statement

_t = tables.streams

_BY_USER = Statement(
    select(_t).join(tables.accounts).where(tables.accounts.c.user_id == bindparam("user_id")),
    "user_id",
)
_BY_ORIGINATOR = Statement(
    select(_t).where(_t.c.originator_id == bindparam("originator_id")),
    "originator_id",
)
_NEW_STREAM = Statement(
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

_OWN = select(tables.ledger.c.originator_id)

NO_VERSION = -1


@dataclass(slots=True)
class Stream:
    """An interned account or aggregate, and the last version given in it."""

    id: int
    originator_id: bytes
    version: int = NO_VERSION


class Streams:
    """The streams that one transaction appends to: read once, written back at the end."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the transaction of `connection`."""
        self._connection = connection
        self._by_user: dict[str, Stream] = {}
        self._by_originator: dict[UUID, Stream] = {}

    def of_user(self, user_id: str) -> Stream:
        """Return the stream of the user's account, making account and stream at first sight."""
        stream = self.known(user_id)
        if stream is None:
            stream = self._by_user[user_id] = self._new_account(user_id)
        return stream

    def known(self, user_id: str) -> Stream | None:
        """Return the stream of the user's account, or None where there is no account."""
        stream = self._by_user.get(user_id)
        if stream is None:
            row = _BY_USER.run(self._connection, user_id).fetchone()
            if row:
                stream = self._by_user[user_id] = _read(row)
        return stream

    def of_originator(self, originator_id: UUID) -> Stream:
        """Return the stream of an account or aggregate by its UUID, making it at first sight."""
        stream = self._by_originator.get(originator_id)
        if stream is None:
            row = _BY_ORIGINATOR.run(self._connection, originator_id.bytes).fetchone()
            stream = _read(row) if row else self._new_stream(originator_id)
            self._by_originator[originator_id] = stream
        return stream

    def own(self) -> tuple[UUID, Stream]:
        """Return the ledger's own stream, and the UUID that it goes by."""
        own_id = stored_uuid(self._connection.scalar(_OWN) or b"")
        return own_id, self.of_originator(own_id)

    def write_back(self) -> None:
        """Write the current versions; a new stream has no checksum before."""
        touched = [*self._by_user.values(), *self._by_originator.values()]
        _WRITE_VERSION.run_many(self._connection, [_version_row(each) for each in touched])

    def _new_account(self, user_id: str) -> Stream:
        stream = self._new_stream(uuid4())
        account = with_checksum(tables.accounts.name, (stream.id, user_id, None))
        _NEW_ACCOUNT.run(self._connection, *account)
        return stream

    def _new_stream(self, originator_id: UUID) -> Stream:
        cursor = _NEW_STREAM.run(self._connection, originator_id.bytes, NO_VERSION)
        return Stream(cursor.fetchone()[0], originator_id.bytes)


def _read(row: Sequence[Any]) -> Stream:
    return Stream(*checked(_t.name, row))


def _version_row(stream: Stream) -> tuple[int, int, int]:
    row = (stream.id, stream.originator_id, stream.version)
    return stream.version, checksum(_t.name, row), stream.id
