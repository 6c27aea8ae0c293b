"""Display names of accounts, within one transaction."""

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, select

from ledger.store import tables
from ledger.store.checksums import change
from ledger.store.statements import Statement

_a = tables.accounts

_NAME = Statement(
    select(_a.c.display_name).where(_a.c.user_id == bindparam("user_id")),
    "user_id",
)


def changed(connection: Connection, names: Mapping[str, str]) -> dict[str, str]:
    """The `names`, by user id, that differ from the names of existing accounts."""
    find = _NAME.finder(connection)
    found = ((user, name, find(user)) for user, name in names.items())
    return {user: name for user, name, row in found if row is not None and row[0] != name}


def rename(connection: Connection, names: Mapping[str, str]) -> None:
    """Store names by user id; users without an account are skipped."""
    for user, name in names.items():
        change(connection, _a, _a.c.user_id == user, display_name=name)
