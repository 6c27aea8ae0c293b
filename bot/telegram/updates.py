"""Telegram's updates as the values that the pure parts know."""

import datetime as dt
from collections.abc import Iterator, Sequence

import telegram
from telegram.constants import MessageEntityType

from bot.classification import ChatKind, Message, Migration, Press
from bot.commands import asked_in

_NAMES = {MessageEntityType.MENTION, MessageEntityType.TEXT_MENTION}
_UTF_16 = ("utf-16-le", "surrogatepass")


def message_of(update: telegram.Update, bot: telegram.Bot) -> Message | None:
    """Return the message, new or edited, that `update` brings, or None."""
    message = update.message or update.edited_message
    if message is None:
        return None
    text, entities = _text_of(message)
    asked = asked_in(text, bot.username)
    return Message(
        bot_id=bot.id,
        chat_id=message.chat.id,
        chat_kind=ChatKind(message.chat.type),
        message_id=message.message_id,
        sender_id=_person_behind(message),
        text=text,
        sent_at=message.date,
        links=tuple(entity.url for entity in entities if entity.url),
        command=None if asked is None else asked.name,
        addressed=_names_bot(text, entities, bot) or _replies_to(message, bot.id),
        edited=update.message is None,
        forwarded=message.forward_origin is not None or bool(message.is_automatic_forward),
    )


def press_of(update: telegram.Update, bot: telegram.Bot, now: dt.datetime) -> Press | None:
    """Return the press on a button that `update` brings, or None."""
    query = update.callback_query
    if query is None or query.data is None:
        return None
    return Press(
        bot_id=bot.id,
        callback_query_id=query.id,
        presser_id=query.from_user.id,
        data=query.data,
        pressed_at=now,
        chat_id=None if query.message is None else query.message.chat.id,
    )


def migration_of(update: telegram.Update) -> Migration | None:
    """Return the change of a group into a supergroup that `update` tells of, or None."""
    message = update.message
    if message is None:
        return None
    if message.migrate_to_chat_id is not None:
        return Migration(message.chat.id, message.migrate_to_chat_id)
    if message.migrate_from_chat_id is not None:
        return Migration(message.migrate_from_chat_id, message.chat.id)
    return None


def _text_of(message: telegram.Message) -> tuple[str, Sequence[telegram.MessageEntity]]:
    if message.text is not None:
        return message.text, message.entities
    return message.caption or "", message.caption_entities


def _person_behind(message: telegram.Message) -> int | None:
    user = message.from_user
    # Who writes as a channel or a group, or through another bot, does not speak for a person.
    if user is None or user.is_bot or message.sender_chat or message.via_bot:
        return None
    return user.id


def _names_bot(text: str, entities: Sequence[telegram.MessageEntity], bot: telegram.Bot) -> bool:
    return any(
        (entity.user is not None and entity.user.id == bot.id)
        or name.lower() == f"@{bot.username}".lower()
        for entity, name in _named(text, entities)
    )


def _named(
    text: str, entities: Sequence[telegram.MessageEntity]
) -> Iterator[tuple[telegram.MessageEntity, str]]:
    # Telegram counts in UTF-16 units.
    units = text.encode(*_UTF_16)
    for entity in entities:
        if entity.type in _NAMES:
            start, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
            yield entity, units[start:end].decode(*_UTF_16)


def _replies_to(message: telegram.Message, bot_id: int) -> bool:
    replied = message.reply_to_message
    if replied is None or replied.from_user is None:
        return False
    # In a topic every message replies to the one that opened it, which says nothing.
    return replied.from_user.id == bot_id and replied.forum_topic_created is None
