"""Webhook mode: updates pushed to the bot until it answers with a 2xx."""

import asyncio
import re
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from tests.support.telegram.errors import bad_request
from tests.support.telegram.http_messages import Request
from tests.support.telegram.update_queue import Pending

SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}\Z")
CONNECTIONS = 40
FIRST_BACK_OFF_SECONDS = 0.01
LONGEST_BACK_OFF_SECONDS = 1.0
LOOPBACK = frozenset({"127.0.0.1", "localhost"})


class Webhook:
    """Where updates are pushed to. In the server's loop; within a chat always one at a time."""

    def __init__(self, api: Any) -> None:
        """Serve one bot."""
        self._api = api
        self.url = ""
        self.secret = ""
        self.connections = CONNECTIONS
        self.statuses: list[int] = []
        self._news = asyncio.Event()
        self._busy_chats: set[int] = set()
        self._workers: list[asyncio.Task[None]] = []
        self._session: ClientSession | None = None

    def wake(self) -> None:
        """There are updates, or a chat is free again."""
        self._news.set()

    async def answer(self, request: Request) -> Any:
        """`setWebhook`, `deleteWebhook`, `getWebhookInfo`."""
        if request.method == "getWebhookInfo":
            return self._info()
        url = request.parameters.get("url", "") if request.method == "setWebhook" else ""
        _refuse_url(url)
        secret = str(request.parameters.get("secret_token", ""))
        if secret and not SECRET.match(secret):
            raise bad_request("secret token contains unallowed characters")
        await self.close()
        with self._api.changed:
            if request.parameters.get("drop_pending_updates"):
                self._api.queue.forget_all()
            if request.method == "setWebhook":
                self._api.queue.allow(request.parameters.get("allowed_updates"))
        self.secret = secret
        self.connections = request.parameters.get("max_connections") or CONNECTIONS
        if url:
            self._open(url)
        return True

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {
            "url": self.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self._api.queue.waiting),
        }
        if self.url:
            info["max_connections"] = self.connections
        if self._api.queue.allowed:
            info["allowed_updates"] = sorted(self._api.queue.allowed)
        return info

    def _open(self, url: str) -> None:
        self.url = url
        self._session = ClientSession(timeout=ClientTimeout(total=60))
        self._workers = [asyncio.create_task(self._work()) for _ in range(self.connections)]
        self.wake()

    async def close(self) -> None:
        """Push no more."""
        self.url = ""
        for worker in self._workers:
            worker.cancel()
        for worker in self._workers:
            with suppress(asyncio.CancelledError):
                await worker
        self._workers.clear()
        self._busy_chats.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _work(self) -> None:
        while True:
            pending = self._next()
            if pending is None:
                self._news.clear()
                await self._news.wait()
                continue
            self._busy_chats.add(pending.chat)
            try:
                await self._push(pending)
            finally:
                self._busy_chats.discard(pending.chat)
                self.wake()

    def _next(self) -> Pending | None:
        with self._api.changed:
            waiting = self._api.queue.waiting.values()
            return next((p for p in waiting if p.chat not in self._busy_chats), None)

    async def _push(self, pending: Pending) -> None:
        back_off = FIRST_BACK_OFF_SECONDS
        while not await self._accepted(pending):
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, LONGEST_BACK_OFF_SECONDS)

    async def _accepted(self, pending: Pending) -> bool:
        assert self._session is not None
        headers = {"Content-Type": "application/json"}
        headers |= {"X-Telegram-Bot-Api-Secret-Token": self.secret} if self.secret else {}
        status = 0
        with self._api.changed:
            self._api.queue.count(pending.update_id)
        with suppress(ClientError, TimeoutError, ConnectionError):
            async with self._session.post(self.url, data=pending.body, headers=headers) as answer:
                status = answer.status
        accepted = 200 <= status < 300
        with self._api.changed:
            self.statuses.append(status)
            if accepted:
                self._api.queue.forget(pending.update_id)
            self._api.changed.notify_all()
        return accepted


def _refuse_url(url: str) -> None:
    """400 but for HTTPS, and for HTTP on the loopback, which Telegram could not reach."""
    parts = urlsplit(url)
    if url and parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
