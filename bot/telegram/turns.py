"""Turns of recordings: what a user sends in private is recorded in its order, also if it waits."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from bot.listening.classification import ChatKind, Sender

Record = Callable[[], Awaitable[bool]]
"""Records an update, and returns whether it may be acknowledged."""


def settled(*, is_done: bool) -> asyncio.Future[bool]:
    """A result that is known already."""
    future = asyncio.get_running_loop().create_future()
    future.set_result(is_done)
    return future


class Turns:
    """The recordings that wait, of which each waits for the one before it of the same sender."""

    def __init__(self) -> None:
        """Begin with none."""
        # Belongs to the event loop: the last recording that waits, by private chat.
        self._last: dict[int, asyncio.Task[bool]] = {}

    async def take(
        self, sender: Sender | None, record: Record, *, waits: bool
    ) -> asyncio.Future[bool]:
        """Let `record` have its turn: at once, unless it `waits`, or is behind one that does."""
        is_private = sender is not None and sender.chat_kind is ChatKind.PRIVATE
        if sender is None or not is_private or not (waits or sender.chat_id in self._last):
            return settled(is_done=await record())
        chat = sender.chat_id
        task = asyncio.create_task(_after(self._last.get(chat), record), name="recording")
        self._last[chat] = task
        task.add_done_callback(partial(self._end, chat))
        return task

    async def settle(self) -> None:
        """Return once none waits."""
        await asyncio.gather(*self._last.values(), return_exceptions=True)

    def _end(self, chat: int, task: asyncio.Task[bool]) -> None:
        if self._last.get(chat) is task:
            del self._last[chat]


async def _after(earlier: asyncio.Task[bool] | None, record: Record) -> bool:
    # What comes after a failure is not recorded, to keep the order: all of it comes again.
    return (earlier is None or await earlier) and await record()
