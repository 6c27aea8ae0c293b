"""The library's real bot and updater on the server, without any application, for one test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from telegram import Bot
from telegram.error import TelegramError
from telegram.ext import Updater

from tests.support.telegram.fake_server import FakeBotApi

KINDS = [
    "message", "edited_message", "channel_post", "edited_channel_post", "callback_query",
    "message_reaction", "my_chat_member", "chat_member",
]  # fmt: skip


def with_bot(api: FakeBotApi, act: Callable[[Bot], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine with an initialised bot that talks with the server."""

    async def run() -> Any:
        async with bot_of(api) as bot:
            return await act(bot)

    return asyncio.run(run())


def bot_of(api: FakeBotApi) -> Bot:
    """The library's bot, pointed at the server."""
    return Bot(api.token, base_url=api.base_url, base_file_url=api.base_file_url)


def refused(
    api: FakeBotApi,
    kind: type[TelegramError],
    why: str,
    act: Callable[[Bot], Coroutine[Any, Any, Any]],
) -> None:
    """Assert that the server refuses what is done, in these words."""
    with pytest.raises(kind) as raised:
        with_bot(api, act)
    assert why.casefold() in str(raised.value).casefold()  # the library changes capitals


class ReceivedUpdates(asyncio.Queue[object]):
    """An update queue that fails a given number of times, and keeps the texts it took."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.failures: list[Exception] = []

    async def put(self, item: object) -> None:
        if self.failures:
            raise self.failures.pop(0)
        message = getattr(item, "effective_message", None)
        self.texts.append(getattr(message, "text", None) or "")


@asynccontextmanager
async def updater_of(
    api: FakeBotApi, errors: list[TelegramError] | None = None
) -> AsyncIterator[tuple[Updater, ReceivedUpdates]]:
    """A polling updater; the errors of its polls are collected."""
    queue = ReceivedUpdates()
    collect = (errors if errors is not None else []).append
    async with Updater(bot_of(api), update_queue=queue) as updater:
        await updater.start_polling(timeout=5, allowed_updates=KINDS, error_callback=collect)
        yield updater, queue
        await updater.stop()
