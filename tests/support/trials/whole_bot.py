"""The whole bot in this process: its queue gets updates, and its requests are read strictly."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import telegram
from telegram.ext import Application

from bot import english
from bot.application import EngagementBot
from bot.settings import settings_of
from bot.terminal.local_servers import LocalServers
from projections.application import Engagements
from tests.support.reply_html import check_button, read
from tests.support.strategies import Clock
from tests.support.telegram.entities import CAPTION_LIMIT
from tests.support.trials.hostile_updates import BOT, Update

ALERT_LIMIT = 200
PATIENCE_SECONDS = 120.0


class StrictReader(LocalServers):
    """The API of Telegram: reads requests, and complains of those that Telegram would refuse."""

    def __init__(self) -> None:
        """Begin without a complaint."""
        self.read: list[str] = []
        self.complaints: list[str] = []
        super().__init__(BOT)

    def take(self, name: str, parameters: dict[str, Any], _: dict[str, Any]) -> None:
        """Read a request, which is accepted regardless of complaints."""
        try:
            self._check(name, parameters)
        except Exception as error:  # noqa: BLE001 - any error is a complaint
            self.complaints.append(f"{name}: {type(error).__name__}: {error}")

    def _check(self, name: str, parameters: dict[str, Any]) -> None:
        if "caption" in parameters:
            self.read.append(read(parameters["caption"], CAPTION_LIMIT))
        elif name == "answerCallbackQuery":
            assert len(parameters.get("text", "")) <= ALERT_LIMIT, "an alert is too long"
        elif "text" in parameters:
            self.read.append(read(parameters["text"]))
            assert self.read[-1] != english.UNREADABLE, "the ledger could not be read"
        for row in parameters.get("reply_markup", {}).get("inline_keyboard", []):
            for button in row:
                check_button(button["text"], button.get("callback_data"))


class LoggedWarnings(logging.Handler):
    """All logged warnings and errors."""

    def __init__(self) -> None:
        """Begin without one."""
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


class WholeBot:
    """A bot on a ledger of its own, as an asynchronous context manager."""

    def __init__(self, folder: Path) -> None:
        """Prepare the ledger in `folder`."""
        self.reader = StrictReader()
        self.worries = LoggedWarnings()
        settings = settings_of({"ENGAGEMENT_HOME": str(folder)})
        folder.mkdir(parents=True, exist_ok=True)
        self.engagements = Engagements(settings.database_url, clock=Clock())
        builder = Application.builder().token(f"{BOT['id']}:x").request(self.reader).updater(None)
        self.bot = EngagementBot(self.engagements, settings, builder)

    async def __aenter__(self) -> Self:
        """Start the bot."""
        logging.getLogger().addHandler(self.worries)
        await self.bot.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        await self.bot.__aexit__(kind, error, traceback)
        logging.getLogger().removeHandler(self.worries)
        self.engagements.close()

    async def hears(self, updates: Sequence[Update]) -> None:
        """Deliver updates at once; return when all are recorded and answered."""
        queue = self.bot.application.update_queue
        received = [telegram.Update.de_json(each, self.bot.application.bot) for each in updates]
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*map(queue.put, received))
            await queue.join()
            await self.bot.outbox.join()
