"""The update queue: what it returns from is recorded, or comes again."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import telegram
from telegram.error import TimedOut

ANSWERED_AT_MOST = 100
"""So many updates Telegram hands out before the first of them is acknowledged."""

AGAIN_SECONDS = 1.0
"""After so long, what could not be recorded is asked for again."""

_NOT_RECORDED = "neither the ledger nor the spool can be written"

IsLast = Callable[[int], bool]
"""Tells whether the update with this id is the last of those that came with it."""


class NotAcknowledgedError(TimedOut):
    """Updates were not recorded; after this type of error the poller asks at once again."""


class UpdateRecorder(Protocol):
    """What the queue records through."""

    async def record_update(self, update: object) -> bool:
        """Record an update, and tell whether that is durable."""
        ...

    def recover(self) -> None:
        """Tell that everything which could not be kept is kept."""
        ...

    def start_draining(self) -> None:
        """Begin to record what waits from an earlier run."""
        ...


def always_last(_: int) -> bool:
    """Take each update for a poll of its own."""
    return True


class RecordingQueue(asyncio.Queue[object]):
    """An update queue that holds what is recorded, and acknowledges nothing else.

    What cannot be recorded is answered all the same, once, and comes again from Telegram.
    """

    def __init__(self, recorder: UpdateRecorder, is_last: IsLast = always_last) -> None:
        """Record through `recorder`; `is_last` tells whether an update ends what was polled."""
        super().__init__()
        self._recorder = recorder
        self._is_last = is_last
        self._is_failing = False
        self._answered: dict[int, bool] = {}

    async def get(self) -> object:
        """Return the next item; what waits from an earlier run begins to be recorded."""
        self._recorder.start_draining()
        return await super().get()

    async def put(self, item: object) -> None:
        """Record `item`, then queue it, for a poller that puts one batch after another.

        Raises NotAcknowledgedError at the end of a batch of which anything was not recorded: the
        poller then asks for all of it again.
        """
        # After one that failed none is tried, so that the order stays: they all come again.
        is_recorded = not self._is_failing and await self._recorder.record_update(item)
        self._is_failing = not is_recorded
        await self._answer(item, is_recorded=is_recorded)
        if not isinstance(item, telegram.Update) or not self._is_last(item.update_id):
            return
        if self._is_failing:
            self._is_failing = False
            await asyncio.sleep(AGAIN_SECONDS)
            raise NotAcknowledgedError(_NOT_RECORDED)
        self._recorder.recover()

    async def take(self, update: telegram.Update) -> bool:
        """Record `update`, queue it, and tell whether it may be acknowledged."""
        had_failed = self._answered.get(update.update_id) is False
        is_recorded = await self._recorder.record_update(update)
        await self._answer(update, is_recorded=is_recorded)
        if is_recorded and had_failed:
            self._recorder.recover()
        return is_recorded

    async def _answer(self, item: object, *, is_recorded: bool) -> None:
        if not isinstance(item, telegram.Update) or self._is_new(item.update_id, is_recorded):
            await super().put(item)

    def _is_new(self, update_id: int, is_recorded: bool) -> bool:  # noqa: FBT001 - see `_answer`
        """Tell whether an update is to be answered, which only its first arrival is."""
        is_known = update_id in self._answered
        if not is_known and len(self._answered) >= ANSWERED_AT_MOST:
            settled = next((each for each, is_kept in self._answered.items() if is_kept), None)
            if settled is None:
                return False
            del self._answered[settled]
        self._answered[update_id] = is_recorded
        return not is_known
