"""The chat in the terminal: each line of input is a message, of one of several people."""

import asyncio
import io
import itertools
import re
import sys
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import telegram
from telegram.ext import Application

from bot.application import EngagementBot
from bot.clock_replies import doubt_in_the_terminal
from bot.clocks import ClockGuard
from bot.language import words
from bot.settings import Settings
from bot.telegram.answers import YES
from bot.terminal.screen import TOKEN, Screen
from ledger.errors import LedgerError
from projections.application import Engagements

YOU = "you"
_YOUR_ID = 1
_OTHERS_FROM = 2**52
"""User ids start above all Telegram ids, because a bot on Telegram may use the same ledger."""

_SPEAKER = re.compile(r"@(\w{1,32}):\s*(.*)", re.DOTALL)
_PRESS = re.compile(r"\[?(\d{1,3})\]?")


async def chat(engagements: Engagements, settings: Settings, show: Callable[[str], object]) -> None:
    """Let the bot answer the lines of standard input until they end; `show` prints its replies."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # an invalid byte must not end the chat
    screen = Screen(show, Path(settings.home) / "saved")
    builder = Application.builder().token(TOKEN).request(screen).updater(None)
    show(words.CHAT_START)
    clock = ClockGuard(engagements, lambda doubted: show(doubt_in_the_terminal(doubted)))
    async with EngagementBot(engagements, settings, builder, clock) as bot:
        people = _People(bot, screen)
        async for line in _lines():
            if not _is_watched():
                show(f"{words.CHAT_PROMPT}{line}")
            await people.say(line, show)


class _People:
    """The people at this terminal, each in their own private chat with the bot."""

    def __init__(self, bot: EngagementBot, screen: Screen) -> None:
        self._bot = bot
        self._screen = screen
        # Ids identify messages (R2), so they must differ from those of earlier sessions.
        started_at = bot.engagements.clock()
        self._ids = itertools.count(int(started_at.timestamp() * 1_000_000))

    async def say(self, line: str, show: Callable[[str], object]) -> None:
        """Send `line` as a message, or press the button of that number; wait for the answers."""
        name, text = speaker_of(line)
        if not text:
            show(words.CHAT_NO_TEXT.format(name=name))
            return
        press = _PRESS.fullmatch(text.strip())
        buttons = self._screen.buttons.get(_person(name)["id"], [])
        if press and buttons:
            number = int(press[1])
            if not 1 <= number <= len(buttons):
                show(words.CHAT_NO_BUTTON.format(count=len(buttons)))
                return
            data = buttons[number - 1].data
            if data.startswith(YES):
                self._screen.forget(_person(name)["id"])
            content = self._press(name, data)
        else:
            self._screen.buttons.pop(_person(name)["id"], None)
            content = {"message": self._message(name, text=text)}
        update = telegram.Update.de_json(
            {"update_id": next(self._ids), **content}, self._bot.application.bot
        )
        if not await self._bot.queue.take(update):
            show(words.CHAT_NOT_KEPT)
        await self._bot.application.update_queue.join()
        await self._bot.outbox.join()
        await asyncio.to_thread(self._name, _person(name)["id"], name)

    def _name(self, user_id: int, name: str) -> None:
        """Store the person's name for commands, if they have an account."""
        with suppress(LedgerError):
            self._bot.engagements.ledger.name_users({str(user_id): name})

    def _message(self, name: str, **content: str) -> dict[str, Any]:
        person = _person(name)
        return {
            "message_id": next(self._ids),
            "date": int(self._bot.engagements.clock().timestamp()),
            "chat": {"id": person["id"], "type": "private", "first_name": name},
            "from": person,
            **content,
        }

    def _press(self, name: str, data: str) -> dict[str, Any]:
        query = {
            "id": str(next(self._ids)),
            "from": _person(name),
            "chat_instance": name,
            "data": data,
            "message": self._message(name, text="…"),
        }
        return {"callback_query": query}


def speaker_of(line: str) -> tuple[str, str]:
    """Split a line into speaker and text: `@name: text`, else the text is the operator's."""
    match = _SPEAKER.fullmatch(line)
    return (match[1], match[2]) if match else (YOU, line)


def _person(name: str) -> dict[str, Any]:
    # A name has the same user id in every session.
    known = name.casefold()
    user_id = _YOUR_ID if known == YOU else _OTHERS_FROM + zlib.crc32(known.encode())
    return {"id": user_id, "is_bot": False, "first_name": name}


def _is_watched() -> bool:
    # Standard input is None if it was closed.
    return sys.stdin is not None and sys.stdin.isatty()


async def _lines() -> AsyncIterator[str]:
    """Yield the lines of standard input, without blank ones, until it ends."""
    while (line := await _line()) is not None:
        if line.strip():
            yield line


async def _line() -> str | None:
    loop = asyncio.get_running_loop()
    read: asyncio.Future[str | None] = loop.create_future()

    def wait() -> None:
        line = None
        with suppress(EOFError, OSError, RuntimeError):
            line = input(words.CHAT_PROMPT if _is_watched() else "")
        loop.call_soon_threadsafe(read.set_result, line)

    # A daemon, so that an interrupted chat need not wait for the end of a line.
    threading.Thread(target=wait, daemon=True).start()
    return await read
