"""Sending replies: in their topic, in as many messages as they need, to where the chat has gone."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

import telegram
import telegram.helpers
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter

from bot.language import words
from bot.replies import Attachment, Button, Reply, parts, say

_log = logging.getLogger(__name__)

RETRY_PAUSES_SECONDS = (0.5, 2.0)
"""After a fault of the network; a message may then come twice, which is better than not at all."""

LONGEST_WAIT_SECONDS = 60.0
"""A chat that Telegram slows down for longer gets no answer; it would come too late."""

FLOOD_SLACK_SECONDS = 0.1

TOO_LARGE = "too large"
"""The error's text for a file that the server will not accept at a second attempt either."""

UPLOAD_SECONDS = 60.0
"""How long Telegram may accept no data of a file, or not answer after all of it."""

_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_PREVIEW = telegram.LinkPreviewOptions(is_disabled=True)


class Address(NamedTuple):
    """Where a reply goes: a chat, a topic of it, and the message that it answers."""

    chat_id: int
    topic_id: int | None = None
    message_id: int | None = None


async def send(bot: telegram.Bot, to: Address, reply: Reply) -> None:
    """Send `reply`; raises TelegramError where that is not possible."""
    try:
        await _send(bot, to, reply)
    except ChatMigrated as migrated:
        await _send(bot, Address(migrated.new_chat_id), reply)
    except BadRequest as error:
        if "thread not found" not in error.message.lower():
            raise
        await _send(bot, to._replace(topic_id=None), reply)  # the topic was deleted meanwhile


class InGroup(NamedTuple):
    """What stands in the group where something was asked that is answered in private."""

    address: Address
    note: Reply
    payload: str
    """What a link into the private chat carries, so that it is answered there."""


async def send_in_private(bot: telegram.Bot, user_id: int, reply: Reply, group: InGroup) -> None:
    """Send `reply` to the user alone, and a note of that to the group.

    Where the bot may not write to the user first, the group gets a button instead that opens the
    private chat.
    """
    note = group.note
    try:
        await send(bot, Address(user_id), reply)
    except (Forbidden, BadRequest) as error:
        _log.info("not written to first", extra={"error": type(error).__name__})
        note = _invitation(bot, group.payload)
    await send(bot, group.address, note)


def _invitation(bot: telegram.Bot, payload: str) -> Reply:
    carried = payload if _PAYLOAD.fullmatch(payload) else None
    url = telegram.helpers.create_deep_linked_url(bot.username, carried)
    return Reply(say(words.OPEN_PRIVATE).html, (Button(words.OPEN_BUTTON, url=url),))


async def _send(bot: telegram.Bot, to: Address, reply: Reply) -> None:
    if reply.attachment is not None:
        await persistently(partial(_send_file, bot, to, reply, reply.attachment))
        return
    *first, last = parts(reply.html)
    for text in first:
        await persistently(partial(_send_text, bot, to, text, ()))
    await persistently(partial(_send_text, bot, to, last, reply.buttons))


async def persistently(call: Callable[[], Awaitable[object]]) -> None:
    """Call until Telegram has taken it, twice more at the most; raise what it refuses it with."""
    for pause in RETRY_PAUSES_SECONDS:
        try:
            await call()
        except BadRequest:
            raise  # it is a NetworkError by name only: the same again would be refused again
        except RetryAfter as flooded:
            await asyncio.sleep(_wait_of(flooded))
        except NetworkError as error:
            if TOO_LARGE in error.message.lower():
                raise
            await asyncio.sleep(pause)
        else:
            return
    await call()


def _wait_of(flooded: RetryAfter) -> float:
    """Return how many seconds Telegram wants us to wait; raise `flooded` where that is too long."""
    # The public attribute warns each time of what it will be one day.
    seconds = flooded._retry_after.total_seconds()  # noqa: SLF001 - see above
    if seconds > LONGEST_WAIT_SECONDS:
        raise flooded
    return seconds + FLOOD_SLACK_SECONDS


async def _send_text(
    bot: telegram.Bot, to: Address, html: str, buttons: tuple[Button, ...]
) -> None:
    await bot.send_message(
        to.chat_id,
        html,
        parse_mode=ParseMode.HTML,
        link_preview_options=_NO_PREVIEW,
        message_thread_id=to.topic_id,
        reply_parameters=_answering(to),
        reply_markup=keyboard(buttons),
    )


async def _send_file(bot: telegram.Bot, to: Address, reply: Reply, file: Attachment) -> None:
    method = bot.send_photo if file.is_picture else bot.send_document
    if not isinstance(file.content, bytes):
        file.content.seek(0)  # an earlier attempt may have read it
    await method(
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
    """Return Telegram's form of buttons, one a row, or None without any."""
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
