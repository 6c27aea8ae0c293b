"""Sending: replies wait for their turn, chat by chat, and go out in as many messages as needed."""

import asyncio
import logging
import math
import re
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import telegram
import telegram.helpers
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from bot.answers.reply import Attachment, Button, Reply, parts, say
from bot.language import words

# The outbox: one queue of replies per chat; replies that come too late are dropped.
#
# A chat that Telegram rate-limits does not delay other chats. Recording never waits here.

_log = logging.getLogger(__name__)

WAITING_AT_MOST = 1_000
WAITING_IN_A_CHAT = 20
STALE_SECONDS = 120.0
"""Seconds after which an answer is too late to be sent."""

Delivery = Callable[[], Awaitable[object]]


class _Waiting(NamedTuple):
    deliver: Delivery
    stale_at: float


class Outbox:
    """Delivers replies, in order within a chat; for use in one event loop."""

    def __init__(self) -> None:
        """Start empty."""
        self._chats: dict[int, deque[_Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0

    def post(self, chat_id: int, deliver: Delivery, *, lasting: bool = False) -> None:
        """Queue `deliver` in its chat; if the queue is full, the oldest entry is dropped.

        A `lasting` delivery never expires.
        """
        waiting = self._chats.get(chat_id)
        is_full = self._waiting >= WAITING_AT_MOST
        if waiting and (is_full or len(waiting) >= WAITING_IN_A_CHAT):
            waiting.popleft()
            self._waiting -= 1
            _log.warning("reply dropped", extra={"why": "too many wait in its chat"})
        elif is_full:
            _log.warning("reply dropped", extra={"why": "too many wait"})
            return
        if waiting is None:
            waiting = self._chats[chat_id] = deque()
            self._begin(self._deliver_all(chat_id))
        lifetime = math.inf if lasting else STALE_SECONDS
        waiting.append(_Waiting(deliver, asyncio.get_running_loop().time() + lifetime))
        self._waiting += 1

    def post_beside(self, deliver: Delivery) -> asyncio.Task[None]:
        """Run `deliver` in the background, outside the chats' queues; return its task."""
        return self._begin(_deliver(deliver))

    async def join(self) -> None:
        """Return once all queues are empty and nothing is being delivered."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self, seconds: float) -> None:
        """Go on delivering for at most `seconds`; drop the rest with a log line."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        stopped = [task for task in self._tasks if task.cancel()]  # each task delivers one reply
        if dropped := self._waiting + len(stopped):
            _log.warning("replies dropped", extra={"why": "stopping", "count": dropped})
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, delivering: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(delivering, name="engagement-replies")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver_all(self, chat_id: int) -> None:
        waiting = self._chats[chat_id]
        try:
            while waiting:
                deliver, stale_at = waiting.popleft()
                self._waiting -= 1
                if asyncio.get_running_loop().time() > stale_at:
                    _log.warning("reply dropped", extra={"why": "stale"})
                else:
                    await _deliver(deliver)
        finally:
            del self._chats[chat_id]


async def _deliver(deliver: Delivery) -> None:
    try:
        await deliver()
    except Forbidden:
        _log.info("reply not wanted", extra={"why": "blocked, or no longer in the chat"})
    except TelegramError as error:
        _log.warning("reply not delivered", extra={"error": type(error).__name__})
    except Exception as error:  # noqa: BLE001 - one reply's fault is no other reply's business
        _log.error("reply failed", extra={"error": fault(error)})


def fault(error: BaseException) -> str:
    """The type of an error and where it was raised, without its message."""
    traceback, where = error.__traceback__, ""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        where, traceback = f" in {code.co_name}, line {traceback.tb_lineno}", traceback.tb_next
    return type(error).__name__ + where


# Sending of replies: in their topic, split into messages, also to chats that have migrated.

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
NO_PREVIEW = telegram.LinkPreviewOptions(is_disabled=True)


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
    payload: Callable[[], str]
    """Returns the payload of a link into the private chat, which repeats the question there."""


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
        note = _invitation(bot, group.payload())
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
        link_preview_options=NO_PREVIEW,
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
        link_preview_options=NO_PREVIEW,
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
    """Convert buttons to a Telegram keyboard; None if there are none."""
    rows: list[list[telegram.InlineKeyboardButton]] = []
    for button in buttons:
        if not (button.is_beside and rows):
            rows.append([])
        rows[-1].append(_key_of(button))
    return telegram.InlineKeyboardMarkup(rows) if rows else None


def _key_of(button: Button) -> telegram.InlineKeyboardButton:
    return telegram.InlineKeyboardButton(
        button.text,
        url=button.url,
        copy_text=None if button.copied is None else telegram.CopyTextButton(button.copied),
        callback_data=None if button.url or button.copied else button.data,
    )
