"""The screen: a stand-in for Telegram's servers that shows the bot's messages as text."""

import itertools
import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from telegram.request import BaseRequest, RequestData

from bot.language import words
from bot.plain_text import plain_text
from bot.replies import Button

BOT = {
    "id": 1,
    "is_bot": True,
    "first_name": "Engagement",
    "username": "engagement_bot",
    "can_read_all_group_messages": True,
}
TOKEN = f"{BOT['id']}:terminal"

_UNSAFE_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]")


class Screen(BaseRequest):
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
        self._message_ids = itertools.count(1)

    @property
    def read_timeout(self) -> float | None:
        """No limit: a screen answers at once."""
        return None

    async def initialize(self) -> None:
        """Do nothing."""

    async def shutdown(self) -> None:
        """Do nothing."""

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        *_: object,
        **__: object,
    ) -> tuple[int, bytes]:
        """Show the message that is sent, and respond as Telegram does."""
        del method
        parameters = {} if request_data is None else request_data.parameters
        files = {} if request_data is None else request_data.multipart_data or {}
        result = self._result(url.rpartition("/")[2], parameters, files)
        return 200, json.dumps({"ok": True, "result": result}).encode()

    def _result(self, method: str, parameters: dict[str, Any], files: dict[str, Any]) -> object:
        if method == "getMe":
            return BOT
        if method not in {"sendMessage", "sendPhoto", "sendDocument", "editMessageText"}:
            if text := parameters.get("text"):
                self._show(text)
            return True
        self._show(plain_text(parameters.get("text") or parameters.get("caption") or ""))
        for name, content, _ in files.values():
            self._save(parameters["chat_id"], name, content)
        if method == "editMessageText":
            self.buttons.pop(parameters["chat_id"], None)
        rows = parameters.get("reply_markup", {}).get("inline_keyboard", [])
        self._show_buttons(parameters["chat_id"], rows)
        chat = {"id": parameters["chat_id"], "type": "private", "first_name": ""}
        return {"message_id": next(self._message_ids), "date": 0, "chat": chat}

    def _show_buttons(self, chat_id: int, rows: list[list[dict[str, str]]]) -> None:
        buttons = [each for row in rows for each in row]
        for each in buttons:
            if "url" in each:
                self._show(f"  {each['text']}: {each['url']}")
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
