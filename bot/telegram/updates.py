"""Conversion of Telegram's updates to values of the pure modules."""

import datetime as dt
from collections.abc import Iterator, Sequence

import msgspec
import telegram
from telegram.constants import MessageEntityType

from bot.listening.asked import question_in
from bot.listening.bot_commands import Asked, asked_in
from bot.listening.classification import (
    ChatKind,
    Message,
    Migration,
    Press,
    Pressed,
    Sender,
    issues_in,
    pressed_in,
)
from bot.listening.inline import (
    ISSUES_OF_A_QUERY,
    Chosen,
    GuestMessage,
    Inline,
    InlineQuery,
    counted_inline,
    issues_of_query,
)
from bot.listening.issue_keys import IssueKeys
from bot.listening.typed_text import (
    NestedTooDeepError,
    TypedText,
    is_unknown_message,
    may_hold_text,
    typed_text_of,
)

_Marked = tuple[str, Sequence[telegram.MessageEntity]]

_RICH_MESSAGE = "rich_message"
_NAMES = {MessageEntityType.MENTION, MessageEntityType.TEXT_MENTION}
_UTF_16 = ("utf-16-le", "surrogatepass")


class ParsedUpdate(msgspec.Struct, frozen=True):
    """A message, a press, a migration, or what comes from chats that the bot is not in, with all
    that is found in it; or nothing of these.
    """

    message: Message | None = None
    issues: Sequence[str] = ()
    """The issues that the message names."""
    counted: Sequence[str] = ()
    """The issues that the message, the chosen result or the guest message touches.

    Which keys count may change later, as by an answer of Linear that the update waits for.
    """
    asked: Asked | None = None
    """The question to the bot in the message."""
    is_unread: bool = False
    """Whether a person wrote the message and it may hold typed text of an unknown kind."""
    press: Press | None = None
    pressed: Pressed | None = None
    """The meaning of the button that was pressed."""
    migration: Migration | None = None
    inline: Inline | None = None

    @property
    def sender(self) -> Sender | None:
        """The sender about whom the gate decides; None if nothing is recorded or answered."""
        if self.migration is not None:
            return Sender(self.migration.new_chat_id, ChatKind.SUPERGROUP, None)
        if self.message is not None and self.message.sender_id is not None:
            return Sender(self.message.chat_id, self.message.chat_kind, self.message.sender_id)
        if self.press is not None:
            # A press counts for the user who pressed, in whichever chat the button is.
            return _in_private(self.press.presser_id)
        if self.inline is not None and self.inline.user_id is not None:
            return _in_private(self.inline.user_id)
        return None


def _in_private(user_id: int) -> Sender:
    return Sender(user_id, ChatKind.PRIVATE, user_id)


def parsed(
    update: telegram.Update, bot: telegram.Bot, keys: IssueKeys, now: dt.datetime
) -> ParsedUpdate:
    """Parse `update`, received at `now`, and search it for issues."""
    migration = migration_of(update)
    if migration is not None:
        return ParsedUpdate(migration=migration)
    inline = inline_of(update, bot, keys, now)
    if inline is not None:
        return ParsedUpdate(inline=inline, counted=counted_inline(inline, keys))
    message = message_of(update, bot)
    if message is None:
        press = press_of(update, bot, now)
        pressed = None if press is None else pressed_in(press.data, keys)
        return ParsedUpdate(press=press, pressed=pressed)
    issues = issues_in(message, keys)
    return ParsedUpdate(
        message=message,
        issues=issues,
        counted=tuple(filter(keys.counts, issues)),
        asked=question_in(message, issues, keys),
        is_unread=message.is_by_a_person and _is_unread(update),
    )


def message_of(update: telegram.Update, bot: telegram.Bot) -> Message | None:
    """Return the new or edited message of `update`, or None."""
    message = update.message or update.edited_message
    return None if message is None else _message(message, bot, edited=update.message is None)


def _message(message: telegram.Message, bot: telegram.Bot, *, edited: bool = False) -> Message:
    typed = _typed_in(message)
    return Message(
        bot_id=bot.id,
        chat_id=message.chat.id,
        chat_kind=ChatKind(message.chat.type),
        message_id=message.message_id,
        sender_id=_person_behind(message),
        text=typed.text,
        sent_at=message.date,
        links=typed.links,
        asked=asked_in(typed.text, bot.username),
        addressed=_names_bot(typed, bot) or _replies_to(message, bot.id),
        edited=edited,
        forwarded=message.forward_origin is not None or bool(message.is_automatic_forward),
    )


def press_of(update: telegram.Update, bot: telegram.Bot, now: dt.datetime) -> Press | None:
    """Return the press on a button in `update`, or None."""
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


def inline_of(
    update: telegram.Update, bot: telegram.Bot, keys: IssueKeys, now: dt.datetime
) -> Inline | None:
    """Return the inline query, chosen result or guest message of `update`, or None."""
    query, chosen, guest = update.inline_query, update.chosen_inline_result, update.guest_message
    if query is not None:
        return InlineQuery(query.id, query.from_user.id, issues_of_query(query.query, keys))
    if chosen is not None:
        return Chosen(
            bot_id=bot.id,
            user_id=chosen.from_user.id,
            query=chosen.query,
            result_id=chosen.result_id,
            inline_message_id=chosen.inline_message_id,
            chosen_at=now,
        )
    if guest is None or guest.guest_query_id is None:
        return None
    message = _message(guest, bot)
    issues = issues_in(message, keys)[:ISSUES_OF_A_QUERY]
    return GuestMessage(guest.guest_query_id, message, tuple(issues))


def migration_of(update: telegram.Update) -> Migration | None:
    """Return the upgrade of a group to a supergroup that `update` reports, or None."""
    message = update.message
    if message is None:
        return None
    if message.migrate_to_chat_id is not None:
        return Migration(message.chat.id, message.migrate_to_chat_id)
    if message.migrate_from_chat_id is not None:
        return Migration(message.migrate_from_chat_id, message.chat.id)
    return None


def _is_unread(update: telegram.Update) -> bool:
    message = update.message or update.edited_message
    if message is None or any(text for text, _ in _texts_of(message)):
        return False
    unknown = dict(message.api_kwargs)
    rich_message = unknown.pop(_RICH_MESSAGE, None)
    try:
        if rich_message is not None and not typed_text_of(rich_message).text:
            return is_unknown_message(rich_message)
        return may_hold_text(unknown, has_content=rich_message is not None or _has_content(message))
    except NestedTooDeepError:
        return True


def _has_content(message: telegram.Message) -> bool:
    return message.effective_attachment is not None


def _typed_in(message: telegram.Message) -> TypedText:
    """The typed text of all known kinds."""
    texts = list(_texts_of(message))
    rich = _rich_text_of(message)
    named = [each for text, entities in texts for each in _named(text, entities)]
    users = [entity.user.id for entity, _ in named if entity.user is not None]
    links = [entity.url for _, entities in texts for entity in entities if entity.url]
    return TypedText(
        text="\n".join(text for text in (*(text for text, _ in texts), rich.text) if text),
        links=(*links, *rich.links),
        names=(*(name for _, name in named), *rich.names),
        named_ids=(*users, *rich.named_ids),
    )


def _rich_text_of(message: telegram.Message) -> TypedText:
    # The library does not support rich messages yet, which a later version of the Bot API added.
    try:
        return typed_text_of(message.api_kwargs.get(_RICH_MESSAGE))
    except NestedTooDeepError:
        return TypedText()


def _texts_of(message: telegram.Message) -> Iterator[_Marked]:
    yield message.text or "", message.entities
    yield message.caption or "", message.caption_entities
    if message.checklist is not None:
        yield message.checklist.title, message.checklist.title_entities
        yield from _tasks_in(message.checklist)
    if message.checklist_tasks_added is not None:
        yield from _tasks_in(message.checklist_tasks_added)
    if message.poll is not None:
        yield from _texts_of_poll(message.poll)
    if message.poll_option_added is not None:
        added = message.poll_option_added
        yield added.option_text, added.option_text_entities


def _tasks_in(tasks: telegram.Checklist | telegram.ChecklistTasksAdded) -> Iterator[_Marked]:
    for task in tasks.tasks:
        yield task.text, task.text_entities


def _texts_of_poll(poll: telegram.Poll) -> Iterator[_Marked]:
    yield poll.question, poll.question_entities
    yield poll.description or "", poll.description_entities
    for option in poll.options:
        yield option.text, option.text_entities
    yield poll.explanation or "", poll.explanation_entities


def _person_behind(message: telegram.Message) -> int | None:
    user = message.from_user
    # A message sent as a channel or a group, or through another bot, has no person as its sender.
    if user is None or user.is_bot or message.sender_chat or message.via_bot:
        return None
    return user.id


def _names_bot(typed: TypedText, bot: telegram.Bot) -> bool:
    name = f"@{bot.username}".lower()
    return bot.id in typed.named_ids or name in (each.lower() for each in typed.names)


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
    # In a topic every message is a reply to the one that opened it, so that does not count.
    return replied.from_user.id == bot_id and replied.forum_topic_created is None
