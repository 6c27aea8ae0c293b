"""Sending of replies: in their topic, split into messages, also to chats that have migrated."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeVar

import telegram
import telegram.helpers
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter

from bot.language import words
from bot.replies import Attachment, Button, Reply, parts, say

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

RETRY_PAUSES_SECONDS = (0.5, 2.0)
"""Seconds before retries after network errors; a message may come twice, rather than never."""

LONGEST_WAIT_SECONDS = 60.0
"""The most seconds to wait for a rate-limited chat; a later answer would come too late."""

FLOOD_SLACK_SECONDS = 0.1

TOO_LARGE = "too large"
"""The error text for a file that the server will not accept at a second attempt either."""

UPLOAD_SECONDS = 60.0
"""Seconds without progress of an upload, or without a response after it, that count as failure."""

_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_PREVIEW = telegram.LinkPreviewOptions(is_disabled=True)


class Address(NamedTuple):
    """The destination of a reply: a chat, a topic in it, and the message it answers."""

    chat_id: int
    topic_id: int | None = None
    message_id: int | None = None


class Sent(NamedTuple):
    """The messages that a reply was sent in."""

    chat_id: int
    message_ids: tuple[int, ...]


async def send(bot: telegram.Bot, to: Address, reply: Reply) -> Sent:
    """Send `reply`; raises TelegramError on failure."""
    try:
        return await _send(bot, to, reply)
    except ChatMigrated as migrated:
        return await _send(bot, Address(migrated.new_chat_id), reply)
    except BadRequest as error:
        if "thread not found" not in error.message.lower():
            raise
        return await _send(bot, to._replace(topic_id=None), reply)  # the topic was deleted


async def change(bot: telegram.Bot, sent: Sent, reply: Reply) -> None:
    """Change messages that were sent, so that they say `reply`.

    What does not fit into so many follows in further messages; messages too many are deleted.
    """
    contents = _contents(reply)
    for message_id, content in zip(sent.message_ids, contents, strict=False):
        with suppress(BadRequest):  # it says the same already, or was deleted
            await persistently(partial(_change_text, bot, sent.chat_id, message_id, *content))
    for content in contents[len(sent.message_ids) :]:
        await persistently(partial(_send_text, bot, Address(sent.chat_id), *content))
    for message_id in sent.message_ids[len(contents) :]:
        with suppress(BadRequest):
            await persistently(partial(bot.delete_message, sent.chat_id, message_id))


class InGroup(NamedTuple):
    """The note in a group about a question that is answered in private."""

    address: Address
    note: Reply
    payload: str
    """The payload of a link into the private chat, which repeats the question there."""


async def send_in_private(
    bot: telegram.Bot, user_id: int, group: InGroup, reply: Reply
) -> Sent | None:
    """Send `reply` to the user alone, and a note of that to the group.

    If the user has never started the bot, it may not write to them; then the group gets a button
    that opens the private chat, and None is returned.
    """
    note, sent = group.note, None
    try:
        sent = await send(bot, Address(user_id), reply)
    except (Forbidden, BadRequest) as error:
        _log.info("not written to first", extra={"error": type(error).__name__})
        note = _invitation(bot, group.payload)
    await send(bot, group.address, note)
    return sent


def _invitation(bot: telegram.Bot, payload: str) -> Reply:
    carried = payload if _PAYLOAD.fullmatch(payload) else None
    url = telegram.helpers.create_deep_linked_url(bot.username, carried)
    return Reply(say(words.OPEN_PRIVATE).html, (Button(words.OPEN_BUTTON, url=url),))


async def _send(bot: telegram.Bot, to: Address, reply: Reply) -> Sent:
    if reply.attachment is not None:
        file = await persistently(partial(_send_file, bot, to, reply, reply.attachment))
        return Sent(to.chat_id, (file.message_id,))
    messages = [
        await persistently(partial(_send_text, bot, to, *content)) for content in _contents(reply)
    ]
    return Sent(to.chat_id, tuple(message.message_id for message in messages))


def _contents(reply: Reply) -> list[tuple[str, tuple[Button, ...]]]:
    """Return the texts of the messages that a reply needs; the last one has the buttons."""
    *first, last = parts(reply.html)
    return [*((text, ()) for text in first), (last, reply.buttons)]


async def persistently(call: Callable[[], Awaitable[Result]]) -> Result:
    """Call until Telegram accepts it, at most three times; raises its last refusal."""
    for pause in RETRY_PAUSES_SECONDS:
        try:
            return await call()
        except BadRequest:
            raise  # not a network error despite its class: a retry would be refused, too
        except RetryAfter as flooded:
            await asyncio.sleep(_wait_of(flooded))
        except NetworkError as error:
            if TOO_LARGE in error.message.lower():
                raise
            await asyncio.sleep(pause)
    return await call()


def _wait_of(flooded: RetryAfter) -> float:
    """Return the seconds that Telegram asks us to wait; raise `flooded` if that is too long."""
    # The public attribute emits a deprecation warning about its future type.
    seconds = flooded._retry_after.total_seconds()  # noqa: SLF001 - see above
    if seconds > LONGEST_WAIT_SECONDS:
        raise flooded
    return seconds + FLOOD_SLACK_SECONDS


async def _send_text(
    bot: telegram.Bot, to: Address, html: str, buttons: tuple[Button, ...]
) -> telegram.Message:
    return await bot.send_message(
        to.chat_id,
        html,
        parse_mode=ParseMode.HTML,
        link_preview_options=_NO_PREVIEW,
        message_thread_id=to.topic_id,
        reply_parameters=_answering(to),
        reply_markup=keyboard(buttons),
    )


async def _change_text(
    bot: telegram.Bot, chat_id: int, message_id: int, html: str, buttons: tuple[Button, ...]
) -> None:
    await bot.edit_message_text(
        html,
        chat_id,
        message_id,
        parse_mode=ParseMode.HTML,
        link_preview_options=_NO_PREVIEW,
        reply_markup=keyboard(buttons),
    )


async def _send_file(
    bot: telegram.Bot, to: Address, reply: Reply, file: Attachment
) -> telegram.Message:
    method = bot.send_photo if file.is_picture else bot.send_document
    if not isinstance(file.content, bytes):
        file.content.seek(0)  # an earlier attempt may have read it
    return await method(
        to.chat_id,
        telegram.InputFile(file.content, filename=file.name, read_file_handle=False),
        caption=reply.html,
        parse_mode=ParseMode.HTML,
        message_thread_id=to.topic_id,
        reply_parameters=_answering(to),
        reply_markup=keyboard(reply.buttons),
        read_timeout=UPLOAD_SECONDS,
        write_timeout=UPLOAD_SECONDS,
    )


def _answering(to: Address) -> telegram.ReplyParameters | None:
    if to.message_id is None:
        return None
    return telegram.ReplyParameters(to.message_id, allow_sending_without_reply=True)


def keyboard(buttons: tuple[Button, ...]) -> telegram.InlineKeyboardMarkup | None:
    """Convert buttons to a Telegram keyboard, one per row; None if there are none."""
    if not buttons:
        return None
    return telegram.InlineKeyboardMarkup(
        [
            [
                telegram.InlineKeyboardButton(
                    button.text,
                    url=button.url,
                    callback_data=None if button.url else button.data,
                )
            ]
            for button in buttons
        ]
    )
