"""Places within one transaction: the numbers of chats, also by former ids."""

from uuid import uuid4

from sqlalchemy import Connection, bindparam, insert, select

from ledger.store import tables
from ledger.store.rows import change, with_checksum
from ledger.store.statements import Query, Statement, value

_t, _alias = tables.places, tables.aliases

_BY_CHAT: Query[int] = Query(
    value, select(_t.c.id).where(_t.c.chat_id == bindparam("chat_id")), "chat_id"
)
_BY_ALIAS: Query[int] = Query(
    value, select(_alias.c.place).where(_alias.c.chat_id == bindparam("chat_id")), "chat_id"
)
_NEW_PLACE: Query[int] = Query(
    value,
    insert(_t).values(place=bindparam("place"), chat_id=bindparam("chat_id")).returning(_t.c.id),
    "place",
    "chat_id",
)
_NEW_ALIAS = Statement(insert(_alias), *_alias.c.keys())
_MIGRATIONS = Statement(
    select(_alias.c.chat_id, _t.c.chat_id).join(_t).where(_t.c.chat_id.is_not(None))
)


class Places:
    """The places that one transaction uses; new ones are created on first use."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the transaction of `connection`."""
        self._connection = connection
        self._by_chat: dict[str, int] = {}

    def of_chat(self, chat_id: str | None) -> int | None:
        """The number of the chat's place; None for no chat."""
        if chat_id is None:
            return None
        place = self._by_chat.get(chat_id)
        if place is None:
            place = place_of(self._connection, chat_id)
            if place is None:
                place = _new_place(self._connection, chat_id)
            self._by_chat[chat_id] = place
        return place


def place_of(connection: Connection, chat_id: str) -> int | None:
    """The number of the chat's place by its present or a former id, or None."""
    place = _BY_CHAT.first(connection, chat_id)
    return _BY_ALIAS.first(connection, chat_id) if place is None else place


def migrate(connection: Connection, old: str, new: str) -> None:
    """Make `old` and `new` ids of one place from now on, with `new` as the present one.

    The place of `old` keeps its number, unless `new` already has a place, which is then used for
    both. If both are ids of one place already, nothing changes.
    """
    before, after = place_of(connection, old), place_of(connection, new)
    if old == new or (before is not None and before == after):
        return
    if after is None and before is not None:
        _rename(connection, before, new)
        return
    place = _new_place(connection, new) if after is None else after
    if before is not None:
        _rename(connection, before, None)
        change(connection, _alias, _alias.c.place == before, place=place)
    else:
        _add_alias(connection, old, place)


def migrations(connection: Connection) -> dict[str, str]:
    """The present chat ids by former ones."""
    return dict(_MIGRATIONS.run(connection))


def _rename(connection: Connection, place: int, chat_id: str | None) -> None:
    """Give the place another id, or none; its former id becomes an alias."""
    former = connection.scalar(select(_t.c.chat_id).where(_t.c.id == place))
    change(connection, _t, _t.c.id == place, chat_id=chat_id)
    if former is not None:
        _add_alias(connection, former, place)


def _add_alias(connection: Connection, chat_id: str, place: int) -> None:
    _NEW_ALIAS.run(connection, *with_checksum(_alias.name, (chat_id, place)))


def _new_place(connection: Connection, chat_id: str) -> int:
    number = _NEW_PLACE.one(connection, uuid4().bytes, chat_id)
    change(connection, _t, _t.c.id == number)  # the checksum covers the number
    return number
