"""`getUpdates`: long polling, one at a time."""

import asyncio
from typing import Any

from tests.support.telegram.errors import OTHER_POLL, WEBHOOK_ACTIVE, Refusal
from tests.support.telegram.http_messages import Request
from tests.support.telegram.update_queue import LARGEST_BATCH

LONGEST_POLL_SECONDS = 50


class Poll:
    """A request for updates that waits."""

    def __init__(self) -> None:
        """Begin to wait."""
        self.woken = asyncio.Event()
        self.refusal: Refusal | None = None

    def refuse(self, refusal: Refusal) -> None:
        """End it with an error."""
        self.refusal = refusal
        self.woken.set()


class Polling:
    """Hands out what waits; a second poll ends the first. All of it runs in the server's loop."""

    def __init__(self, api: Any) -> None:
        """Serve one bot."""
        self._api = api
        self._current: Poll | None = None

    @property
    def waiting(self) -> bool:
        """Whether a long poll waits."""
        return self._current is not None

    def wake(self) -> None:
        """There are updates."""
        if self._current is not None:
            self._current.woken.set()

    def end(self, refusal: Refusal | None = None) -> None:
        """End the poll that waits, at the latest with an empty answer."""
        if self._current is not None:
            self._current.refuse(refusal or Refusal(502, "Bad Gateway"))

    async def poll(self, request: Request) -> list[bytes]:
        """The updates from `offset` on, as soon as there are any, or none after `timeout`."""
        parameters = request.parameters
        if self._api.webhook.url:
            raise Refusal(*WEBHOOK_ACTIVE)
        self.end(Refusal(*OTHER_POLL))
        limit = min(max(1, parameters.get("limit") or LARGEST_BATCH), LARGEST_BATCH)
        with self._api.changed:
            self._api.queue.allow(parameters.get("allowed_updates"))
            self._api.queue.confirm(parameters.get("offset") or 0)
            self._api.changed.notify_all()
        seconds = min(max(0, parameters.get("timeout") or 0), LONGEST_POLL_SECONDS)
        return self._taken(limit) or await self._waited(limit, seconds)

    async def _waited(self, limit: int, seconds: float) -> list[bytes]:
        self._current = poll = Poll()
        with self._api.changed:
            self._api.changed.notify_all()
        try:
            await asyncio.wait_for(poll.woken.wait(), seconds)
        except TimeoutError:
            return []
        finally:
            if self._current is poll:
                self._current = None
        if poll.refusal is not None:
            raise poll.refusal
        return self._taken(limit)

    def _taken(self, limit: int) -> list[bytes]:
        with self._api.changed:
            batch: list[bytes] = self._api.queue.batch(limit)
            self._api.changed.notify_all()
        return batch
