"""The chat in a terminal: a line a message, and a screen that shows what the bot sends."""

import asyncio
import io
import itertools
import re
import shutil
import sys
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import telegram
from telegram.ext import Application

from bot.answers.about_the_clock import doubt_in_the_terminal
from bot.answers.plain_text import plain_text
from bot.answers.reply import Button
from bot.application import EngagementBot
from bot.clocks import ClockGuard
from bot.language import words
from bot.settings import Settings
from bot.telegram.doors import HOST, PORT, Webhook, open_doors
from bot.telegram.handlers import YES
from bot.terminal.local_servers import SENDING, LocalServers
from ledger.errors import LedgerError
from projections.application import Engagements

# The screen: a stand-in for Telegram's servers that shows the bot's messages as text.

BOT = {
    "id": 1,
    "is_bot": True,
    "first_name": "Engagement",
    "username": "engagement_bot",
    "can_read_all_group_messages": True,
}
TOKEN = f"{BOT['id']}:terminal"

_UNSAFE_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]")


class Screen(LocalServers):
    """Stands in for Telegram's servers: shows the bot's messages, and saves its files.

    Each chat has its own folder for files, named by the chat's id. `buttons` are those that can be
    pressed in each chat: of all messages since the last one to the bot, or since the last change of
    a message's buttons.
    """

    def __init__(self, show: Callable[[str], object], folder: Path) -> None:
        """Print lines with `show`; save files in `folder`, which is created when needed."""
        self.buttons: dict[int, list[Button]] = {}
        self._show = show
        self._folder = folder
        super().__init__(BOT)

    def take(self, name: str, parameters: dict[str, Any], files: dict[str, Any]) -> None:
        """Show the text and the buttons of a request, and save its files."""
        if name not in SENDING:
            if text := parameters.get("text"):
                self._show(text)
            return
        self._show(plain_text(parameters.get("text") or parameters.get("caption") or ""))
        for file, content, _ in files.values():
            self._save(parameters["chat_id"], file, content)
        if name == "editMessageText":
            self.buttons.pop(parameters["chat_id"], None)
        rows = parameters.get("reply_markup", {}).get("inline_keyboard", [])
        self._show_buttons(parameters["chat_id"], rows)

    def _show_buttons(self, chat_id: int, rows: list[list[dict[str, Any]]]) -> None:
        buttons = [each for row in rows for each in row]
        for each in buttons:
            if "url" in each or "copy_text" in each:
                shown = each["url"] if "url" in each else each["copy_text"]["text"]
                self._show(f"  {each['text']}: {shown}")
        shown = [
            Button(each["text"], each["callback_data"])
            for each in buttons
            if "callback_data" in each
        ]
        before = self.buttons.get(chat_id, [])
        for number, button in enumerate(shown, len(before) + 1):
            self._show(f"  [{number}] {button.text}")
        if shown:
            self.buttons[chat_id] = [*before, *shown]

    def forget(self, chat_id: int) -> None:
        """Delete the files saved in a chat, in this session or earlier ones."""
        folder = self._folder_of(chat_id)
        if folder.exists():
            shutil.rmtree(folder)
            self._show(words.CHAT_DELETED.format(path=folder))

    def _folder_of(self, chat_id: int) -> Path:
        return self._folder / str(chat_id)

    def _save(self, chat_id: int, name: str, content: bytes | IO[bytes]) -> None:
        try:
            path = self._saved(chat_id, name, content)
        except OSError as error:
            self._show(words.CHAT_NOT_SAVED.format(folder=self._folder, why=error.strerror))
        else:
            self._show(words.CHAT_SAVED.format(path=path))

    def _saved(self, chat_id: int, name: str, content: bytes | IO[bytes]) -> Path:
        path = self._made(self._folder_of(chat_id), Path(_UNSAFE_IN_NAMES.sub("_", name)))
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(
                    BytesIO(content) if isinstance(content, bytes) else content, file
                )
        except OSError:
            path.unlink()
            raise
        return path

    def _made(self, folder: Path, name: Path) -> Path:
        """Create an empty file of that name, or with a number added if the name is taken."""
        for each in (self._folder, folder):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in itertools.count(1):
            path = folder / (f"{name.stem}-{number}{name.suffix}" if number > 1 else name.name)
            with suppress(FileExistsError):
                path.touch(mode=0o600, exist_ok=False)  # an export is private to its owner
                return path
        raise AssertionError  # the count never ends


# The chat: each line of input is a message of one of several people.

YOU = "you"
_YOUR_ID = 1
_OTHERS_FROM = 2**52
"""User ids start above all Telegram ids, because a bot on Telegram may use the same ledger."""

_SPEAKER = re.compile(r"@(\w{1,32}):\s*(.*)", re.DOTALL)
_PRESS = re.compile(r"\[?(\d{1,3})\]?")


async def chat(
    engagements: Engagements,
    settings: Settings,
    show: Callable[[str], object],
    address: tuple[str, int] = (HOST, PORT),
) -> None:
    """Let the bot answer the lines of standard input until they end; `show` prints its replies.

    With Linear's secret, its webhooks are taken at `address`.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # an invalid byte must not end the chat
    screen = Screen(show, Path(settings.home) / "saved")
    builder = Application.builder().token(TOKEN).request(screen).updater(None)
    show(words.CHAT_START)
    clock = ClockGuard(engagements, lambda doubted: show(doubt_in_the_terminal(doubted)))
    async with (
        EngagementBot(engagements, settings, builder, clock) as bot,
        AsyncExitStack() as opened,
    ):
        door = open_doors(
            bot.application.bot, bot.queue.take, bot.webhooks, settings, Webhook(None, *address)
        )
        try:
            await opened.enter_async_context(door)
        except LedgerError as error:  # another bot may have the door, and this one can talk
            show(words.CHAT_NO_WEBHOOKS.format(why=error))
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
        if press and not buttons:
            show(words.CHAT_NO_BUTTONS)
            return
        if press:
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
