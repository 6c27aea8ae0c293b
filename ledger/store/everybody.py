"""Reading of the events of all users who were not forgotten."""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from ledger.archive.reading import events_by_account
from ledger.archive.segment_store import Archive
from ledger.events import EventRow
from ledger.store import tables
from ledger.store.event_queries import rows_by_user
from ledger.store.segment_rows import segments
from ledger.store.statements import Statement
from ledger.store.users import known_accounts

_e, _a = tables.events, tables.accounts

_FORGOTTEN = Statement(
    select(func.count())
    .select_from(_e)
    .where(_e.c.issue_id.is_not(None), _e.c.stream.not_in(select(_a.c.stream)))
)
_KEYS = Statement(select(func.count()).select_from(tables.sources))


class Uncounted(NamedTuple):
    """The numbers of events of forgotten users, and of source keys that can never count again."""

    forgotten: int
    source_keys: int


def rows_of_everybody(connection: Connection, archive: Archive) -> list[EventRow]:
    """Yield the rows for folds of all events that belong to a user, in no particular order."""
    return [row for user in rows_by_user(connection, archive) for row in user.rows]


def uncounted(connection: Connection, archive: Archive) -> Uncounted:
    """Count both."""
    (forgotten,), (keys,) = (each.run(connection).fetchone() for each in (_FORGOTTEN, _KEYS))
    known = known_accounts(connection)
    for segment in segments(connection):
        counts = events_by_account(archive, segment)
        forgotten += sum(count for account, count in counts.items() if account not in known)
    return Uncounted(forgotten, keys)
