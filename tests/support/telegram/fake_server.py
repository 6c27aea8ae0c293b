"""A Bot API server on the loopback, as strict as Telegram, on which tests act as users.

with BotApi() as api:
    ana = api.person("Ana", id=1001)
    ana.says("/start", in_=ana.private())
    api.wait_until(lambda: api.sent_to(ana))
"""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Self

from aiohttp import web

from tests.support.telegram import http_messages
from tests.support.telegram.aiogram_oracle import aiogram
from tests.support.telegram.errors import NOT_FOUND, UNAUTHORIZED, Refusal, bad_request
from tests.support.telegram.faults import Faults
from tests.support.telegram.http_messages import Request
from tests.support.telegram.methods import METHODS
from tests.support.telegram.oracles import complaints_of
from tests.support.telegram.polling import Polling
from tests.support.telegram.scenario import Scenario
from tests.support.telegram.server_state import wall_clock
from tests.support.telegram.webhook_delivery import Webhook

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # noqa: S105  (the documentation's example)
BODY_LIMIT = 64 * 1024 * 1024


class FakeBotApi(Scenario):
    """Telegram for one bot: its HTTP side in a thread of its own, its people in the caller's.

    `requests` is what the bot asked, in order; `complaints` what was wrong with it or with an
    update of the test by the API's schema and by aiogram. Without `strict` neither is looked at.
    """

    def __init__(
        self,
        token: str = TOKEN,
        *,
        username: str = "ledger_bot",
        clock: Callable[[], datetime] = wall_clock,
        strict: bool = True,
        can_read_all_group_messages: bool = True,
    ) -> None:
        """Make it; `start` opens the port."""
        super().__init__(token, username, clock)
        self.strict = strict
        self.can_read_all_group_messages = can_read_all_group_messages
        if strict:
            aiogram()  # not while a request waits
        self.requests: list[Request] = []
        self.faults = Faults()
        self.polling = Polling(self)
        self.webhook = Webhook(self)
        self.port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bot-api", daemon=True)

    @property
    def base_url(self) -> str:
        """The argument of `Bot(base_url=…)`."""
        return f"http://127.0.0.1:{self.port}/bot"

    @property
    def base_file_url(self) -> str:
        """The argument of `Bot(base_file_url=…)`."""
        return f"http://127.0.0.1:{self.port}/file/bot"

    def start(self) -> Self:
        """Listen; returns when the port is open."""
        self._thread.start()
        if not self._ready.wait(10):
            raise TimeoutError("the Bot API server did not start")
        return self

    def stop(self) -> None:
        """Close the port and all connections, and end the thread."""
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def asked(self, method: str) -> list[Request]:
        """The requests of one method, in order."""
        with self.changed:
            return [request for request in self.requests if request.method == method]

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application(client_max_size=BODY_LIMIT)
        application.router.add_route("*", "/bot{token}/{method}", self._handle)
        runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        try:
            await self._stopping.wait()
        finally:
            self.polling.end()
            await self.webhook.close()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            self._refuse_token(request.match_info["token"])
            asked = await http_messages.read(request, time.monotonic())
            with self.changed:
                self.requests.append(asked)
                self.changed.notify_all()
            await self.faults.hold(asked)
            return await self._answer(asked)
        except Refusal as refusal:
            return http_messages.failure(refusal)

    def _refuse_token(self, token: str) -> None:
        if token != self.token:
            raise Refusal(*(UNAUTHORIZED if ":" in token else NOT_FOUND))

    async def _answer(self, asked: Request) -> web.Response:
        with self.changed:
            self.faults.refuse(asked)
            if asked.method not in METHODS:
                raise Refusal(*NOT_FOUND)
            self._refuse_wrong(asked)
            self.faults.refuse_flooded(asked)
        if asked.method == "getUpdates":
            return http_messages.success_encoded(await self.polling.poll(asked))
        if asked.method in {"setWebhook", "deleteWebhook", "getWebhookInfo"}:
            return http_messages.success(await self.webhook.answer(asked))
        with self.changed:
            result = METHODS[asked.method](self, asked)
            self.changed.notify_all()
        self.faults.lose(asked)
        return http_messages.success(result)

    def _refuse_wrong(self, asked: Request) -> None:
        found: list[str] = complaints_of(asked) if self.strict else []
        self.complaints.extend(found)
        if found:
            raise bad_request(found[0])

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Run something in the server's loop, soon; nothing while there is none."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def woken(self) -> None:
        """Wake those who wait for updates."""
        self.call(self.polling.wake)
        self.call(self.webhook.wake)
