"""Places within one transaction: which number stands for which chat."""

from uuid import uuid4

from sqlalchemy import Connection, bindparam, insert, select

from ledger.store import tables
from ledger.store.statements import Statement

_t = tables.places

_BY_CHAT = Statement(select(_t.c.id).where(_t.c.chat_id == bindparam("chat_id")), "chat_id")
_NEW_PLACE = Statement(
    insert(_t).values(place=bindparam("place"), chat_id=bindparam("chat_id")).returning(_t.c.id),
    "place",
    "chat_id",
)


class Places:
    """The places that one transaction names, made at first sight."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the transaction of `connection`."""
        self._connection = connection
        self._by_chat: dict[str, int] = {}

    def of_chat(self, chat_id: str | None) -> int | None:
        """Return the number of the chat's place; None stands for no chat."""
        if chat_id is None:
            return None
        place = self._by_chat.get(chat_id)
        if place is None:
            row = _BY_CHAT.run(self._connection, chat_id).fetchone()
            row = row or _NEW_PLACE.run(self._connection, uuid4().bytes, chat_id).fetchone()
            place = self._by_chat[chat_id] = row[0]
        return place
