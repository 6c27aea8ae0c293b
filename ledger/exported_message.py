"""A message of a chat's export, with ids as in Telegram's Bot API."""

import datetime as dt
from enum import Enum

import msgspec


class ChatType(Enum):
    """The kinds of chats between people that an export distinguishes."""

    SUPERGROUP = "supergroup"
    GROUP = "group"
    """A basic group, also one that has become a supergroup since, up to then."""
    PERSONAL = "personal"
    """A private chat of two people, which no bot sees."""
    WITH_BOT = "with bot"
    """A private chat with a bot, which has the id of the bot here."""


class ExportedMessage(msgspec.Struct, frozen=True, gc=False):
    """A message in an export.

    `place` locates it, as in "message 17". `sender_id` is None for channels and groups; an export
    does not distinguish bots from people. `names` are the words that mention users, `named_ids` the
    users behind such words. `flaw` says why the message cannot be recorded, or is None; with a
    flaw, `sender_id` and `sent_at` may be missing. `is_unread` says that the flaw is unreadable
    text.
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
