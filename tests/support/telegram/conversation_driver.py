"""The conversation driver: the real bot polls the strict server while people talk to it."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self

from bot.application import EngagementBot, telegram_builder
from bot.settings import settings_of
from bot.telegram.doors import UPDATES
from bot.telegram.serve import PollingRequest
from ledger.events import kind_label
from projections.application import Engagements
from tests.support.strategies import Clock
from tests.support.telegram.fake_chats import FakeChat
from tests.support.telegram.fake_server import FakeBotApi
from tests.support.telegram.fake_users import FakeUser
from tests.support.telegram.server_state import Sent

PATIENCE_SECONDS = 30.0

LOCK_PATIENCE_SECONDS = 2.0
"""How long the bot waits for a ledger that another process holds."""


class ConversationDriver:
    """A bot and the Telegram that it talks with, at a clock that stands still until it is moved."""

    def __init__(self, folder: Path, *, reads_all: bool = True, **settings: str) -> None:
        """Prepare both; the ledger lies in `folder`, and the bot has those settings."""
        self.clock = Clock()
        self.folder = folder
        self.api = FakeBotApi(clock=self.clock, can_read_all_group_messages=reads_all)
        self.settings = settings_of(
            {"TELEGRAM_BOT_TOKEN": self.api.token, "ENGAGEMENT_HOME": str(folder)} | settings
        )
        self.engagements = Engagements(
            self.settings.database_url, clock=self.clock, patience_seconds=LOCK_PATIENCE_SECONDS
        )
        self.bot: EngagementBot
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        """Start both."""
        self.api.start()
        self._thread.start()
        self.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        """Stop both."""
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        self._loop.close()
        self.engagements.close()
        self.api.stop()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the bot's event loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_SECONDS)

    def settle(self) -> None:
        """Return once everything said is acknowledged, handled and answered."""
        self.api.wait_until(lambda: self.api.pending() == 0, PATIENCE_SECONDS)
        self.run(self._idle())

    def answers(self, where: FakeChat | FakeUser) -> list[Sent]:
        """The bot's messages there, once it is done."""
        self.settle()
        return self.api.sent_to(where)

    def asks(
        self, user: FakeUser, text: str, in_: FakeChat | None = None, **how: Any
    ) -> list[Sent]:
        """Let a person say something; return the bot's messages there since."""
        where = in_ or user
        self.settle()
        before = len(self.api.sent_to(where))
        user.says(text, in_=in_, **how)
        return self.answers(where)[before:]

    def answer(self, user: FakeUser, text: str, in_: FakeChat | None = None, **how: Any) -> Sent:
        """Let a person say something; return the one answer there."""
        (sent,) = self.asks(user, text, in_, **how)
        return sent

    def recorded(self, user: FakeUser) -> Counter[tuple[str, str]]:
        """How often a person did what to each issue, by the ledger."""
        self.settle()
        history = self.engagements.questions.history(str(user.id))
        return Counter((each.event.issue_id, kind_label(each.event)) for each in history)

    async def _start(self) -> None:
        polling = PollingRequest(time.monotonic, connection_pool_size=1)
        builder = telegram_builder(self.settings).base_url(self.api.base_url)
        builder = builder.get_updates_request(polling)
        self.bot = EngagementBot(self.engagements, self.settings, builder, is_last=polling.is_last)
        await self.bot.__aenter__()
        await self.bot.show_commands()
        updater: Any = self.bot.application.updater
        await updater.start_polling(allowed_updates=UPDATES, timeout=1)

    async def _stop(self) -> None:
        updater: Any = self.bot.application.updater
        await updater.stop()
        await self.bot.__aexit__(None, None, None)

    async def _idle(self) -> None:
        await self.bot.application.update_queue.join()
        await self.bot.outbox.join()
