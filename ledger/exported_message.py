"""A message as a chat's export tells it, its ids in the form that Telegram's bots see."""

import datetime as dt
from enum import Enum

import msgspec


class ChatType(Enum):
    """Chats in which people talk, as far as an export tells them apart."""

    SUPERGROUP = "supergroup"
    GROUP = "group"
    """A basic group, also one that has become a supergroup since, up to then."""
    PERSONAL = "personal"
    """A private chat of two people, which no bot sees."""
    WITH_BOT = "with bot"
    """A private chat with a bot, which has the id of the bot here."""


class ExportedMessage(msgspec.Struct, frozen=True, gc=False):
    """A message in an export.

    `place` is where it stands, as in "message 17". `sender_id` is None for channels and groups; an
    export does not tell bots from people. `names` are the words by which somebody is named,
    `named_ids` the users behind such words. `flaw` says why the message cannot be recorded, if
    that is so; then `sender_id` and `sent_at` may be missing. `is_unread` says that the flaw is
    that what was typed could not be read.
    """

    place: str
    chat_type: ChatType
    chat_id: int
    message_id: int
    sender_id: int | None
    sent_at: dt.datetime | None
    sender_name: str | None = None
    text: str = ""
    links: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    named_ids: tuple[int, ...] = ()
    reply_to_id: int | None = None
    forwarded: bool = False
    via_bot: bool = False
    is_unread: bool = False
    opens_topic: bool = False
    flaw: str | None = None
