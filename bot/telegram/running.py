"""Runs the bot on Telegram until a signal stops it, by polling or behind a webhook."""

import asyncio
import logging
import os
import signal
import threading
import time
from functools import partial
from typing import Any, NamedTuple

from telegram import Update
from telegram.error import InvalidToken, TelegramError
from telegram.request import HTTPXRequest

from bot.application import EngagementBot, telegram_builder
from bot.clocks import ClockGuard
from bot.extras import extra
from bot.settings import Settings
from bot.telegram.outside import dated_by, listen
from bot.telegram.sending import persistently
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
"""The kinds of updates that the bot requests from Telegram."""

CONNECTIONS = 256
"""Simultaneous connections to Telegram: python-telegram-bot's default."""

STOP_SECONDS = 9.0
"""Seconds after which a stopping process ends in any case; our systemd unit allows ten."""

STOPPED_HARD = 1
"""The exit code if something did not stop in time."""


class TelegramRefusedError(LedgerError):
    """Telegram refuses to let the bot start; the message never contains the token."""


class ListeningError(LedgerError):
    """The bot cannot listen at the webhook's address."""


class Webhook(NamedTuple):
    """The URL to which Telegram sends updates, and the address on which this process listens."""

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

    Raises TelegramRefusedError if Telegram refuses the token or cannot be reached at the start, and
    PollingFailedError if the watchdog gives up. `base_url` selects a Bot API server other than
    Telegram's.
    """
    if webhook is not None:
        with extra("webhook"):  # before the first request to Telegram
            from bot.telegram.webhook import listening  # noqa: F401, PLC0415
    clock = ClockGuard(engagements)
    dated = dated_by(clock.hear)
    polling = PollingRequest(time.monotonic, connection_pool_size=1, httpx_kwargs=dated)
    request = HTTPXRequest(connection_pool_size=CONNECTIONS, httpx_kwargs=dated)
    builder = telegram_builder(settings).request(request).get_updates_request(polling)
    if base_url is not None:
        builder = builder.base_url(base_url)
    bot = EngagementBot(engagements, settings, builder, clock, is_last=polling.is_last)
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
    if webhook is None:
        await _poll(bot, polling, stopped)
    else:
        await _listen(bot, settings, webhook, stopped)


async def _poll(bot: EngagementBot, polling: PollingRequest, stopped: asyncio.Event) -> None:
    updater: Any = bot.application.updater
    await updater.start_polling(allowed_updates=UPDATES, bootstrap_retries=3)
    _log.info("serving", extra={"by": "polling"})
    try:
        await _until(stopped, watch(polling))
    finally:
        await _stop(updater)


async def _listen(
    bot: EngagementBot, settings: Settings, webhook: Webhook, stopped: asyncio.Event
) -> None:
    secret = settings.webhook_secret
    if secret is None:
        raise ValueError("there is no secret")
    from bot.telegram.webhook import listening  # noqa: PLC0415 - polling needs no tornado

    telegrams, address = bot.application.bot, (webhook.host, webhook.port)
    try:
        async with listening(
            telegrams, bot.queue.take, url=webhook.url, address=address, secret=secret.reveal()
        ):
            await persistently(
                partial(
                    telegrams.set_webhook,
                    webhook.url,
                    allowed_updates=UPDATES,
                    secret_token=secret.reveal(),
                )
            )
            _log.info("serving", extra={"by": "webhook"})
            await _until(stopped, None)
    except OSError as error:
        message = f"cannot listen at {webhook.host}:{webhook.port}: {error.strerror}"
        raise ListeningError(message) from None


async def _stop(updater: Any) -> None:  # noqa: ANN401 - the builder's type for it has no name
    try:
        await updater.stop()
    except Exception as error:  # noqa: BLE001 - an update that cannot be read is asked for once more
        _log.warning("not acknowledged", extra={"error": type(error).__name__})


def _signalled() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        stopped.set()
        # A thread that reads or writes cannot be interrupted. Ending the process loses nothing:
        # unacknowledged updates come again, and an interrupted job is still due.
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
