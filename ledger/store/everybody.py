"""Reading back what was recorded of everybody who was not forgotten."""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from ledger.archive.folder import Archive
from ledger.archive.reading import events_by_account
from ledger.events import EventRow
from ledger.store import tables
from ledger.store.decoding import stored_uuid
from ledger.store.histories import rows_by_user
from ledger.store.segments import segments
from ledger.store.statements import Statement

_e, _a, _s = tables.events, tables.accounts, tables.streams

_USERS = Statement(select(_a.c.stream, _a.c.user_id, _a.c.display_name))
_FORGOTTEN = Statement(
    select(func.count())
    .select_from(_e)
    .where(_e.c.issue_id.is_not(None), _e.c.stream.not_in(select(_a.c.stream)))
)
_ACCOUNTS = Statement(select(_s.c.originator_id).join(_a, _a.c.stream == _s.c.id))
_KEYS = Statement(select(func.count()).select_from(tables.sources))


class User(NamedTuple):
    """A user, and the number of the account."""

    stream: int
    user_id: str
    display_name: str | None


class Uncounted(NamedTuple):
    """What adds nothing: events of users who were forgotten, and keys that cannot count again."""

    forgotten: int
    source_keys: int


def rows_of_everybody(connection: Connection, archive: Archive) -> list[EventRow]:
    """Return what folds read of all events that are somebody's, in no particular order."""
    return [row for user in rows_by_user(connection, archive) for row in user.rows]


def users(connection: Connection) -> list[User]:
    """Return all users with an account."""
    return [User(*row) for row in _USERS.run(connection)]


def known_accounts(connection: Connection) -> set[str]:
    """Return the UUIDs of the accounts of all users who were not forgotten."""
    return {str(stored_uuid(originator)) for (originator,) in _ACCOUNTS.run(connection)}


def uncounted(connection: Connection, archive: Archive) -> Uncounted:
    """Return how much there is of both."""
    (forgotten,), (keys,) = (each.run(connection).fetchone() for each in (_FORGOTTEN, _KEYS))
    known = known_accounts(connection)
    for segment in segments(connection):
        counts = events_by_account(archive, segment)
        forgotten += sum(count for account, count in counts.items() if account not in known)
    return Uncounted(forgotten, keys)
