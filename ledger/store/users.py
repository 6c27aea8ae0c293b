"""Reading of the users who have an account."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from ledger.store import tables
from ledger.store.decoding import stored_uuid
from ledger.store.statements import Statement

_a, _s = tables.accounts, tables.streams

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
