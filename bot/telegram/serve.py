"""Serving on Telegram until it is stopped: polling with a watchdog, or behind a webhook."""

import asyncio
import email.utils
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import telegram
from telegram.error import InvalidToken, TelegramError
from telegram.ext import Application, TypeHandler
from telegram.request import HTTPXRequest, RequestData

from bot.application import EngagementBot, telegram_builder
from bot.clocks import ClockGuard
from bot.settings import Settings
from bot.telegram.doors import POLLING, UPDATES, Webhook, have_updates_sent, open_doors
from ledger.errors import LedgerError
from ledger.instants import Instant, instant_of
from projections.application import Engagements

# Telegram's clock, read from the dates of its HTTP responses and of new messages.

Hear = Callable[[str, Instant], object]
"""Takes the name of a source and its time."""

ANSWERS, MESSAGES = "answers", "messages"

_BEFORE_ALL = -1
"""A handler group of its own, so that its handler sees every update in addition to others."""


def dated_by(hear: Hear) -> dict[str, Any]:
    """Options for httpx that read the date of each response."""

    async def on_answer(answer: Any) -> None:  # noqa: ANN401 - httpx is the library's own business
        try:
            date = email.utils.parsedate_to_datetime(answer.headers.get("Date", ""))
            hear(ANSWERS, instant_of(date))
        except ValueError:
            return  # the response has no usable date

    return {"event_hooks": {"response": [on_answer]}}


def listen(application: Application[Any, Any, Any, Any, Any, Any], hear: Hear) -> None:
    """Read the date of each new message, which is by Telegram's clock, not the sender's."""

    async def on_update(update: telegram.Update, _: object) -> None:
        if update.message is not None:
            hear(MESSAGES, instant_of(update.message.date))

    application.add_handler(TypeHandler(telegram.Update, on_update), _BEFORE_ALL)


# The watchdog: detects that polling has died, or is stuck on an update that cannot be parsed.
#
# python-telegram-bot does not stop in either case: it logs the error and polls again.

SILENCE_SECONDS = 180.0
"""Seconds without a poll that count as failure; polls are at most 10 apart, 30 after errors."""

SAME_AGAIN = 20
"""How many times in a row the same updates may come, since each poll should acknowledge them."""

LOOKED_AT_EVERY_SECONDS = 1.0


class PollingFailedError(LedgerError):
    """Polling has ended or makes no progress; the process must be restarted or upgraded."""


class PollingRequest(HTTPXRequest):
    """The connection for polling updates, which keeps track of its progress."""

    def __init__(self, clock: Callable[[], float], **options: Any) -> None:  # noqa: ANN401 - as the library takes them
        """Poll as HTTPXRequest does; `clock` is monotonic, in seconds."""
        super().__init__(**options)
        self._clock = clock
        self._heard_at = clock()
        self._offset: object = None
        self._times = 0
        self._is_known = True
        self._batch_ends_with: int | None = None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        *args: Any,  # noqa: ANN401 - as the library takes them
        **kwargs: Any,  # noqa: ANN401 - as the library takes them
    ) -> tuple[int, bytes]:
        """Send the request as HTTPXRequest does, and note its outcome."""
        self._heard_at = self._clock()
        code, payload = await super().do_request(url, method, request_data, *args, **kwargs)
        self._heard_at = self._clock()
        self._is_known = code != HTTPStatus.UNAUTHORIZED
        if code == HTTPStatus.OK:
            offset = None if request_data is None else request_data.parameters.get("offset")
            self._batch_ends_with = _last_of(payload)
            is_same = offset == self._offset and self._batch_ends_with is not None
            self._times = self._times + 1 if is_same else 0
            self._offset = offset
        return code, payload

    def is_last(self, update_id: int) -> bool:
        """Return whether an update is the last one of its batch.

        If it is, the whole batch could be parsed: should the batch come again, the reason is that
        it could not be recorded.
        """
        is_last = update_id == self._batch_ends_with
        if is_last:
            self._times = 0
        return is_last

    def check(self) -> None:
        """Raise PollingFailedError if polling has stopped, or keeps receiving the same updates."""
        if not self._is_known:
            raise PollingFailedError("Telegram does not know this TELEGRAM_BOT_TOKEN any more")
        if self._times >= SAME_AGAIN:
            message = (
                f"Telegram has sent the same updates {self._times} times, and one of them cannot "
                "be read: upgrade this program, as a newer version may read it"
            )
            raise PollingFailedError(message)
        silence = self._clock() - self._heard_at
        if silence > SILENCE_SECONDS:
            raise PollingFailedError(f"polling has stopped: nothing for {silence:.0f} seconds")


def _last_of(payload: bytes) -> int | None:
    """Return the id of the last update in Telegram's response, or None if there is none.

    The response is parsed as the library parses it, so that both accept the same.
    """
    try:
        updates = json.loads(payload.decode(errors="replace"))["result"]
        return int(updates[-1]["update_id"]) if updates else None
    except (ValueError, LookupError, TypeError):
        return None


async def watch(polling: PollingRequest) -> None:
    """Check `polling` until it fails; raises PollingFailedError then."""
    while True:
        polling.check()
        await asyncio.sleep(LOOKED_AT_EVERY_SECONDS)


# Serving until a signal stops the bot.

_log = logging.getLogger(__name__)

CONNECTIONS = 256
"""Simultaneous connections to Telegram: python-telegram-bot's default."""

STOP_SECONDS = 9.0
"""Seconds after which a stopping process ends in any case; our systemd unit allows ten."""

STOPPED_HARD = 1
"""The exit code if something did not stop in time."""


class TelegramRefusedError(LedgerError):
    """Telegram refuses to let the bot start; the message never contains the token."""


async def run(
    engagements: Engagements,
    settings: Settings,
    webhook: Webhook = POLLING,
    base_url: str | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop within ten seconds.

    Raises TelegramRefusedError if Telegram refuses the token or cannot be reached at the start, and
    PollingFailedError if the watchdog gives up. `base_url` selects a Bot API server other than
    Telegram's.
    """
    if webhook.url is not None or settings.linear_webhook_secret is not None:
        from bot.webhooks.server import listening  # noqa: F401, PLC0415 - fails before all requests
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
    bot: EngagementBot, settings: Settings, webhook: Webhook, polling: PollingRequest
) -> None:
    stopped = _signalled()
    await bot.show_commands()
    telegrams, take = bot.application.bot, bot.queue.take
    async with open_doors(telegrams, take, bot.webhooks, settings, webhook):
        if webhook.url is None:
            await _poll(bot, polling, stopped)
        else:
            await _receive(bot, settings, webhook.url, stopped)


async def _poll(bot: EngagementBot, polling: PollingRequest, stopped: asyncio.Event) -> None:
    updater: Any = bot.application.updater
    await updater.start_polling(allowed_updates=UPDATES, bootstrap_retries=3)
    _log.info("serving", extra={"by": "polling"})
    try:
        await _until(stopped, watch(polling))
    finally:
        await _stop(updater)


async def _receive(
    bot: EngagementBot, settings: Settings, url: str, stopped: asyncio.Event
) -> None:
    await have_updates_sent(bot.application.bot, settings, url)
    _log.info("serving", extra={"by": "webhook"})
    await _until(stopped, None)


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
