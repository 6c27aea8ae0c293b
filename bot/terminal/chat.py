"""The chat: one line a message, from several people, until input ends."""

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
"""Above every id of Telegram's: the ledger may be that of a bot on Telegram, too."""

_SPEAKER = re.compile(r"@(\w{1,32}):\s*(.*)", re.DOTALL)
_PRESS = re.compile(r"\[?(\d{1,3})\]?")


async def chat(engagements: Engagements, settings: Settings, show: Callable[[str], object]) -> None:
    """Let the bot answer the lines of standard input by `show`, until they end."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # one byte that is no text ends no conversation
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
    """Who sits at this terminal, each in a private chat of their own with the bot."""

    def __init__(self, bot: EngagementBot, screen: Screen) -> None:
        self._bot = bot
        self._screen = screen
        # A message is the same again by its id (R2), and another session's were other messages.
        started_at = bot.engagements.clock()
        self._ids = itertools.count(int(started_at.timestamp() * 1_000_000))

    async def say(self, line: str, show: Callable[[str], object]) -> None:
        """Let somebody say `line`, or press the button whose number it is; wait for answers."""
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
        """Let commands find the person by name; only whoever has an account keeps one."""
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
    """Return who says what: `@name: text` is somebody's, anything else is yours."""
    match = _SPEAKER.fullmatch(line)
    return (match[1], match[2]) if match else (YOU, line)


def _person(name: str) -> dict[str, Any]:
    # The same name is the same person in every session.
    known = name.casefold()
    user_id = _YOUR_ID if known == YOU else _OTHERS_FROM + zlib.crc32(known.encode())
    return {"id": user_id, "is_bot": False, "first_name": name}


def _is_watched() -> bool:
    # There is no standard input where it was closed.
    return sys.stdin is not None and sys.stdin.isatty()


async def _lines() -> AsyncIterator[str]:
    """Yield what is typed or piped in, without blank lines, until it ends."""
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

    # A daemon: whoever interrupts the chat need not finish the line.
    threading.Thread(target=wait, daemon=True).start()
    return await read
