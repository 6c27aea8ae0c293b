"""The outbox: one queue of replies per chat; replies that come too late are dropped.

A chat that Telegram rate-limits does not delay other chats. Recording never waits here.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from telegram.error import Forbidden, TelegramError

_log = logging.getLogger(__name__)

WAITING_AT_MOST = 1_000
WAITING_IN_A_CHAT = 20
STALE_SECONDS = 120.0
"""Seconds after which an answer is too late to be sent."""

Delivery = Callable[[], Awaitable[object]]


class _Waiting(NamedTuple):
    deliver: Delivery
    stale_at: float


class Outbox:
    """Delivers replies, in order within a chat; for use in one event loop."""

    def __init__(self) -> None:
        """Start empty."""
        self._chats: dict[int, deque[_Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0

    def post(self, chat_id: int, deliver: Delivery, *, lasting: bool = False) -> None:
        """Queue `deliver` in its chat; if the queue is full, the oldest entry is dropped.

        A `lasting` delivery never expires.
        """
        waiting = self._chats.get(chat_id)
        is_full = self._waiting >= WAITING_AT_MOST
        if waiting and (is_full or len(waiting) >= WAITING_IN_A_CHAT):
            waiting.popleft()
            self._waiting -= 1
            _log.warning("reply dropped", extra={"why": "too many wait in its chat"})
        elif is_full:
            _log.warning("reply dropped", extra={"why": "too many wait"})
            return
        if waiting is None:
            waiting = self._chats[chat_id] = deque()
            self._begin(self._deliver_all(chat_id))
        lifetime = math.inf if lasting else STALE_SECONDS
        waiting.append(_Waiting(deliver, asyncio.get_running_loop().time() + lifetime))
        self._waiting += 1

    def post_beside(self, deliver: Delivery) -> asyncio.Task[None]:
        """Run `deliver` in the background, outside the chats' queues; return its task."""
        return self._begin(_deliver(deliver))

    async def join(self) -> None:
        """Return once all queues are empty and nothing is being delivered."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self, seconds: float) -> None:
        """Go on delivering for at most `seconds`; drop the rest with a log line."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        stopped = [task for task in self._tasks if task.cancel()]  # each task delivers one reply
        if dropped := self._waiting + len(stopped):
            _log.warning("replies dropped", extra={"why": "stopping", "count": dropped})
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, delivering: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(delivering, name="engagement-replies")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver_all(self, chat_id: int) -> None:
        waiting = self._chats[chat_id]
        try:
            while waiting:
                deliver, stale_at = waiting.popleft()
                self._waiting -= 1
                if asyncio.get_running_loop().time() > stale_at:
                    _log.warning("reply dropped", extra={"why": "stale"})
                else:
                    await _deliver(deliver)
        finally:
            del self._chats[chat_id]


async def _deliver(deliver: Delivery) -> None:
    try:
        await deliver()
    except Forbidden:
        _log.info("reply not wanted", extra={"why": "blocked, or no longer in the chat"})
    except TelegramError as error:
        _log.warning("reply not delivered", extra={"error": type(error).__name__})
    except Exception as error:  # noqa: BLE001 - one reply's fault is no other reply's business
        _log.error("reply failed", extra={"error": fault(error)})


def fault(error: BaseException) -> str:
    """The type of an error and where it was raised, without its message."""
    traceback, where = error.__traceback__, ""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        where, traceback = f" in {code.co_name}, line {traceback.tb_lineno}", traceback.tb_next
    return type(error).__name__ + where
