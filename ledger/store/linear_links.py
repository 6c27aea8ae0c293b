"""Links: which user is which Linear user, by a code that both have, or by an admin.

A user is at most one Linear user, and the other way round. The newest link is in force: a code
shows that one person controls both sides now, so a former link of either side ends.
"""

import secrets
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, or_, select

from ledger.clock import Clock
from ledger.errors import OptedOutError
from ledger.instants import Instant, instant_of
from ledger.links import LENGTH, LETTERS, PREFIX, VALID_FOR, LinearUser, code_digest
from ledger.observations import USER_PREFIX, Person
from ledger.store import tables
from ledger.store.accounts import changed_names, rename_users
from ledger.store.database import Database
from ledger.store.opt_outs import OptOuts
from ledger.store.rows import checked, with_checksum
from ledger.store.statements import Query, Statement, stored_uuid
from ledger.store.streams import Head, Streams
from ledger.validation import UserId

_t, _accounts, _streams = tables.linear_links, tables.accounts, tables.streams


class Linked(NamedTuple):
    """A new link; `former_user` is the one whose link to the same Linear user it ended, if any."""

    user_id: str
    former_user: str | None


class _Row(NamedTuple):
    stream: int
    linear_stream: int | None
    code_digest: bytes | None
    expires_at: Instant | None


def _row(*row: Any) -> _Row:  # noqa: ANN401 - of any column
    return _Row(*checked(_t.name, row))


def _linear_user(user_id: str, account: bytes, name: str | None) -> LinearUser:
    return LinearUser(user_id.removeprefix(USER_PREFIX), stored_uuid(account), name)


def _user_id(user_id: str) -> str:
    return user_id


_OF_STREAM = Query(_row, select(_t).where(_t.c.stream == bindparam("stream")), "stream")
_OF_LINEAR = Query(_row, select(_t).where(_t.c.linear_stream == bindparam("stream")), "stream")
_OF_CODE = Query(_row, select(_t).where(_t.c.code_digest == bindparam("digest")), "digest")
_INSERT = Statement(insert(_t), *_t.c.keys())
_USER_OF = Query(
    _user_id, select(_accounts.c.user_id).where(_accounts.c.stream == bindparam("stream")), "stream"
)
_own = _accounts.alias("own")
_LINEAR_USER = Query(
    _linear_user,
    select(_accounts.c.user_id, _streams.c.originator_id, _accounts.c.display_name)
    .select_from(_t)
    .join(_own, _own.c.stream == _t.c.stream)
    .join(_accounts, _accounts.c.stream == _t.c.linear_stream)
    .join(_streams, _streams.c.id == _t.c.linear_stream)
    .where(_own.c.user_id == bindparam("user_id")),
    "user_id",
)


class LinearLinks:
    """The links in one ledger."""

    def __init__(self, database: Database, secret: bytes, clock: Clock) -> None:
        """Keep links in `database`; `secret` is the ledger's digest key."""
        self._database = database
        self._secret = secret
        self._clock = clock

    def new_code(self, user_id: UserId) -> str:
        """Return a code that links the user to who writes it within an hour; a former one ends.

        It survives a restart, and the ledger only keeps a digest. Raises OptedOutError.
        """
        code = PREFIX + "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        now = instant_of(self._clock())
        with self._database.write() as connection:
            Head.read(connection)  # serializes links, even if the database allows several writers
            if self._opt_outs(connection).refuses(user_id, now):
                raise OptedOutError
            row = _row_of(connection, Streams(connection).of_user(user_id).id)
            digest, until = code_digest(code, self._secret), Instant(now + VALID_FOR)
            _put(connection, row._replace(code_digest=digest, expires_at=until))
        return code

    def redeem(self, code: str, author: Person, at: Instant) -> Linked | None:
        """Link the user who was given the code to the person who wrote it at a moment.

        A code counts once. None if it is unknown, was used or has expired, or if one of the two
        opted out.
        """
        digest = code_digest(code, self._secret)
        with self._database.read() as connection:  # a wrong code must not make writers wait
            if _OF_CODE.first(connection, digest) is None:
                return None
        with self._database.write() as connection:
            Head.read(connection)
            row = _OF_CODE.first(connection, digest)
            user = None if row is None else _USER_OF.first(connection, row.stream)
            if row is None or user is None or row.expires_at is None or at > row.expires_at:
                return None
            opt_outs, now = self._opt_outs(connection), instant_of(self._clock())
            if opt_outs.refuses(user, now) or opt_outs.refuses(author.user_id, at):
                return None
            return _link(connection, user, author)

    def link(self, user_id: UserId, person: Person) -> Linked:
        """Link a user to a Linear user without a code; raises OptedOutError."""
        now = instant_of(self._clock())
        with self._database.write() as connection:
            Head.read(connection)
            opt_outs = self._opt_outs(connection)
            if opt_outs.refuses(user_id, now) or opt_outs.refuses(person.user_id, now):
                raise OptedOutError
            return _link(connection, user_id, person)

    def unlink(self, user_id: str) -> bool:
        """Delete the user's link and code; return whether there was a link."""
        with self._database.write() as connection:
            Head.read(connection)
            stream = Streams(connection).known(user_id)
            row = None if stream is None else _OF_STREAM.first(connection, stream.id)
            if row is None:
                return False
            connection.execute(delete(_t).where(_t.c.stream == row.stream))
            return row.linear_stream is not None

    def _opt_outs(self, connection: Connection) -> OptOuts:
        return OptOuts(connection, self._secret, self._database.barriers)


def linear_user_of(connection: Connection, user_id: str) -> LinearUser | None:
    """The Linear user that the user is, if that is known."""
    return _LINEAR_USER.first(connection, user_id)


def delete_links(connection: Connection, stream: int) -> None:
    """Delete the links and codes of an account, which may be that of a Linear user."""
    connection.execute(delete(_t).where(or_(_t.c.stream == stream, _t.c.linear_stream == stream)))


def _link(connection: Connection, user_id: str, person: Person) -> Linked:
    streams = Streams(connection)
    stream, linear = streams.of_user(user_id).id, streams.of_user(person.user_id).id
    former = _OF_LINEAR.first(connection, linear)
    former_user = None
    if former is not None and former.stream != stream:
        former_user = _USER_OF.first(connection, former.stream)
        _put(connection, former._replace(linear_stream=None))
    _put(connection, _Row(stream, linear, None, None))
    if person.name is not None:
        rename_users(connection, changed_names(connection, {person.user_id: person.name}))
    return Linked(user_id, former_user)


def _row_of(connection: Connection, stream: int) -> _Row:
    return _OF_STREAM.first(connection, stream) or _Row(stream, None, None, None)


def _put(connection: Connection, row: _Row) -> None:
    """Write a row in the place of the user's former one; nothing if it says nothing."""
    connection.execute(delete(_t).where(_t.c.stream == row.stream))
    if row.linear_stream is not None or row.code_digest is not None:
        _INSERT.run(connection, *with_checksum(_t.name, row))
