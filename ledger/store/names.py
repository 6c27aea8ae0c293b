"""Display names within one transaction: what users are called, kept only beside their accounts."""

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
    """Return those of `names`, by user id, that an account has but not under this name."""
    find = _NAME.finder(connection)
    found = ((user, name, find(user)) for user, name in names.items())
    return {user: name for user, name, row in found if row is not None and row[0] != name}


def rename(connection: Connection, names: Mapping[str, str]) -> None:
    """Let the accounts have these names, by user id; who has no account stays nameless."""
    for user, name in names.items():
        change(connection, _a, _a.c.user_id == user, display_name=name)
