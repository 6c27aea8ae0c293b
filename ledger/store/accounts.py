"""Accounts: users, their display names, and the issues they hide."""

from collections.abc import Mapping
from typing import NamedTuple, cast

from sqlalchemy import Connection, bindparam, select

from ledger import codec
from ledger.errors import LedgerDamagedError, UnknownTopicError
from ledger.events import HIDING, EngagementHidden, Placed
from ledger.store import tables
from ledger.store.clock_corrections import corrections
from ledger.store.rows import change
from ledger.store.statements import Statement, stored_uuid

# Display names of accounts, within one transaction.

_a = tables.accounts

_NAME = Statement(
    select(_a.c.display_name).where(_a.c.user_id == bindparam("user_id")),
    "user_id",
)


def changed_names(connection: Connection, names: Mapping[str, str]) -> dict[str, str]:
    """The `names`, by user id, that differ from the names of existing accounts."""
    find = _NAME.finder(connection)
    found = ((user, name, find(user)) for user, name in names.items())
    return {user: name for user, name, row in found if row is not None and row[0] != name}


def rename_users(connection: Connection, names: Mapping[str, str]) -> None:
    """Store names by user id; users without an account are skipped."""
    for user, name in names.items():
        change(connection, _a, _a.c.user_id == user, display_name=name)


# Reading of the users who have an account.

_s = tables.streams

_USERS = Statement(select(_a.c.stream, _a.c.user_id, _a.c.display_name))
_ACCOUNTS = Statement(select(_s.c.originator_id).join(_a, _a.c.stream == _s.c.id))


class User(NamedTuple):
    """A user, and the number of the account."""

    stream: int
    user_id: str
    display_name: str | None


def users(connection: Connection) -> list[User]:
    """All users who have an account."""
    return [User(*row) for row in _USERS.run(connection)]


def known_accounts(connection: Connection) -> set[str]:
    """The UUIDs of the accounts of all users who were not forgotten."""
    return {str(stored_uuid(originator)) for (originator,) in _ACCOUNTS.run(connection)}


# Reading of a user's hidings.

_e = tables.events.c

_HIDINGS = Statement(
    select(_e.position, _s.c.originator_id, _e.version, _e.state)
    .join(_s, _s.c.id == _e.stream)
    .join(_a, _a.c.stream == _e.stream)
    .where(_a.c.user_id == bindparam("user_id"), tables.IS_HIDING)
    .order_by(_e.position),
    "user_id",
)


def hidings_of_user(connection: Connection, user_id: str) -> list[Placed[EngagementHidden]]:
    """Return the user's hidings with their effective instants, by position."""
    rows = _HIDINGS.run(connection, user_id).fetchall()
    if not rows:
        return []
    return list(corrections(connection).of_events([_read(*row) for row in rows]))


def _read(position: int, originator: bytes, version: int, state: bytes) -> Placed[EngagementHidden]:
    try:
        event = codec.decode(HIDING, stored_uuid(originator), version, state)
    except UnknownTopicError as error:
        message = f"the event at position {position} cannot be read"
        raise LedgerDamagedError(message) from error
    return position, cast("EngagementHidden", event)
