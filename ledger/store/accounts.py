"""Accounts: users, their display names, and the issues they hide."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, func, literal_column, select

from ledger.events import HIDING, EngagementHidden, Placed
from ledger.observations import USER_PREFIX
from ledger.store import tables
from ledger.store.clock_corrections import corrections
from ledger.store.rows import change, opaque_event
from ledger.store.statements import Query, stored_uuid

# Display names of accounts, within one transaction.

_a = tables.accounts


class User(NamedTuple):
    """A user, and the number of the account."""

    stream: int
    user_id: str
    display_name: str | None


_ALL = select(*_a.c[User._fields])
_BY_ID = Query(User, _ALL.where(_a.c.user_id == bindparam("user_id")), "user_id")
BY_ORIGINATOR = Query(
    User,
    _ALL.join(tables.streams, tables.streams.c.id == _a.c.stream).where(
        tables.streams.c.originator_id == bindparam("originator")
    ),
    "originator",
)
"""Finds the user of an account by the bytes of its UUID."""


def changed_names(connection: Connection, names: Mapping[str, str]) -> dict[str, str]:
    """The `names`, by user id, that differ from the names of existing accounts."""
    find = _BY_ID.finder(connection)
    found = ((find(user_id), name) for user_id, name in names.items())
    return {user.user_id: name for user, name in found if user and user.display_name != name}


def rename_users(connection: Connection, names: Mapping[str, str]) -> None:
    """Store names by user id; users without an account are skipped."""
    for user, name in names.items():
        change(connection, _a, _a.c.user_id == user, display_name=name)


# Reading of the users who have an account.

_s, _events = tables.streams, tables.events

_has_events = exists().where(_events.c.stream == _a.c.stream) | exists().where(
    _s.c.id == _a.c.stream, _s.c.version >= literal_column("0")
)
IS_USER = (
    func.substr(_a.c.user_id, literal_column("1"), literal_column(str(len(USER_PREFIX))))
    != literal_column(f"'{USER_PREFIX}'")
) | _has_events
"""Leaves out the people of Linear who are only named by observations."""

_USERS = Query(User, _ALL.where(IS_USER))
_ACCOUNTS = Query(stored_uuid, select(_s.c.originator_id).join(_a, _a.c.stream == _s.c.id))


def users(connection: Connection) -> list[User]:
    """All users who ever did anything that was recorded."""
    return list(_USERS.all(connection))


def known_accounts(connection: Connection) -> set[str]:
    """The UUIDs of the accounts of all users who were not forgotten."""
    return set(map(str, _ACCOUNTS.all(connection)))


# Reading of a user's hidings.

_e = tables.events.c


_read: Callable[..., Placed[EngagementHidden]] = partial(opaque_event, HIDING)

_HIDINGS = Query(
    _read,
    select(_e.position, _s.c.originator_id, _e.version, _e.state)
    .join(_s, _s.c.id == _e.stream)
    .join(_a, _a.c.stream == _e.stream)
    .where(_a.c.user_id == bindparam("user_id"), tables.IS_HIDING)
    .order_by(_e.position),
    "user_id",
)


def hidings_of_user(connection: Connection, user_id: str) -> list[Placed[EngagementHidden]]:
    """Return the user's hidings with their effective instants, by position."""
    placed = list(_HIDINGS.all(connection, user_id))
    return list(corrections(connection).of_events(placed)) if placed else []
