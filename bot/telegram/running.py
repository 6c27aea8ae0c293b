"""Running the bot on Telegram until it is told to stop: polling, or behind a webhook."""

import asyncio
import logging
import os
import signal
import threading
import time
from typing import Any, NamedTuple

from telegram import Update
from telegram.error import InvalidToken, TelegramError
from telegram.request import HTTPXRequest

from bot.application import EngagementBot, telegram_builder
from bot.clocks import ClockGuard
from bot.settings import Settings
from bot.telegram.outside import dated_by, listen
from bot.telegram.watchdog import PollingRequest, watch
from ledger.errors import LedgerError
from projections.application import Engagements

_log = logging.getLogger(__name__)

UPDATES = [
    Update.MESSAGE,
    Update.EDITED_MESSAGE,
    Update.CALLBACK_QUERY,
    Update.MY_CHAT_MEMBER,
]
"""What the bot asks Telegram for."""

CONNECTIONS = 256
"""To Telegram at once, as python-telegram-bot has it."""

STOP_SECONDS = 9.0
"""However a stop goes, the process ends after so long: systemd's patience is set to ten."""

STOPPED_HARD = 1
"""The exit code where something did not stop in time."""


class TelegramRefusedError(LedgerError):
    """Telegram does not let the bot start; the message never holds the token."""


class Webhook(NamedTuple):
    """Where Telegram is to send updates, and where this process listens for them."""

    url: str
    host: str
    port: int


async def run(
    engagements: Engagements,
    settings: Settings,
    webhook: Webhook | None = None,
    base_url: str | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop within ten seconds.

    Raises TelegramRefusedError where Telegram refuses the token or cannot be reached at the start,
    and PollingFailedError where the watchdog gives up. `base_url` is that of another Bot API
    server than Telegram's own.
    """
    clock = ClockGuard(engagements)
    dated = dated_by(clock.hear)
    polling = PollingRequest(time.monotonic, connection_pool_size=1, httpx_kwargs=dated)
    request = HTTPXRequest(connection_pool_size=CONNECTIONS, httpx_kwargs=dated)
    builder = telegram_builder(settings).request(request).get_updates_request(polling)
    if base_url is not None:
        builder = builder.base_url(base_url)
    bot = EngagementBot(engagements, settings, builder, clock)
    listen(bot.application, clock.hear)
    try:
        async with bot:
            await _serve(bot, settings, webhook, polling)
    except InvalidToken:
        raise TelegramRefusedError("Telegram does not know this TELEGRAM_BOT_TOKEN") from None
    except TelegramError as error:
        message = f"Telegram cannot be reached: {type(error).__name__}"
        raise TelegramRefusedError(message) from None


async def _serve(
    bot: EngagementBot, settings: Settings, webhook: Webhook | None, polling: PollingRequest
) -> None:
    stopped = _signalled()
    await bot.show_commands()
    updater: Any = bot.application.updater
    if webhook is None:
        await updater.start_polling(allowed_updates=UPDATES, bootstrap_retries=3)
    else:
        await updater.start_webhook(
            listen=webhook.host,
            port=webhook.port,
            webhook_url=webhook.url,
            url_path=_path_of(webhook.url),
            secret_token=settings.webhook_secret and settings.webhook_secret.reveal(),
            allowed_updates=UPDATES,
            bootstrap_retries=3,
        )
    _log.info("serving", extra={"by": "polling" if webhook is None else "webhook"})
    try:
        await _until(stopped, watch(polling) if webhook is None else None)
    finally:
        await _stop(updater)


async def _stop(updater: Any) -> None:  # noqa: ANN401 - the builder's type for it has no name
    try:
        await updater.stop()
    except Exception as error:  # noqa: BLE001 - an update that cannot be read is asked for once more
        _log.warning("not acknowledged", extra={"error": type(error).__name__})


def _path_of(url: str) -> str:
    return url.split("://", 1)[-1].partition("/")[2]


def _signalled() -> asyncio.Event:
    """Return the event that SIGTERM and SIGINT set."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        stopped.set()
        # A thread that reads or writes cannot be interrupted. Ending it loses nothing: what is not
        # acknowledged comes again, and a job that broke off is still due.
        ending = threading.Timer(STOP_SECONDS, os._exit, (STOPPED_HARD,))
        ending.daemon = True
        ending.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopped


async def _until(stopped: asyncio.Event, watching: Any) -> None:  # noqa: ANN401 - a coroutine, or None
    waiting = [asyncio.ensure_future(stopped.wait())]
    if watching is not None:
        waiting.append(asyncio.ensure_future(watching))
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for each in waiting:
            each.cancel()
