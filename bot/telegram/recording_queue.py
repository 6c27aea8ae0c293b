"""An update queue that accepts only recorded updates; Telegram sends the others again."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import telegram
from telegram.error import TimedOut

ANSWERED_AT_MOST = 100
"""The most updates that Telegram delivers before the first of them is acknowledged."""

AGAIN_SECONDS = 1.0
"""Seconds after which updates that could not be recorded are requested again."""

_NOT_RECORDED = "neither the ledger nor the spool can be written"

IsLast = Callable[[int], bool]
"""Returns whether the update with this id is the last one of its batch."""


class NotAcknowledgedError(TimedOut):
    """Updates were not recorded; this error makes the poller request them again at once."""


class UpdateRecorder(Protocol):
    """The interface of the recorder that the queue uses."""

    async def record_update(self, update: object) -> bool:
        """Record an update; return whether it may be acknowledged."""
        ...

    def recover(self) -> None:
        """Report the end of an outage, if there was one."""
        ...

    def start_draining(self) -> None:
        """Start draining the entries that an earlier run left in the spool."""
        ...


def always_last(_: int) -> bool:
    """Treat every update as the last of its batch."""
    return True


class RecordingQueue(asyncio.Queue[object]):
    """An update queue in which only recorded updates are acknowledged.

    An update that cannot be recorded is still answered once, and comes again.
    """

    def __init__(self, recorder: UpdateRecorder, is_last: IsLast = always_last) -> None:
        """Record through `recorder`; `is_last` tells whether an update is the last of its batch."""
        super().__init__()
        self._recorder = recorder
        self._is_last = is_last
        self._is_failing = False
        self._answered: dict[int, bool] = {}

    async def get(self) -> object:
        """Return the next item; the first call starts draining the spool of an earlier run."""
        self._recorder.start_draining()
        return await super().get()

    async def put(self, item: object) -> None:
        """Record `item`, then queue it; for a poller that puts one batch after another.

        Raises NotAcknowledgedError at the end of a batch if any update of it was not recorded; the
        poller then requests the whole batch again.
        """
        # After a failure the rest of the batch is not recorded, to keep the order: all of it comes
        # again.
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
        """Record `update`, queue it, and return whether it may be acknowledged."""
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
        """Whether an update arrives for the first time; only then is it answered."""
        is_known = update_id in self._answered
        if not is_known and len(self._answered) >= ANSWERED_AT_MOST:
            settled = next((each for each, is_kept in self._answered.items() if is_kept), None)
            if settled is None:
                return False
            del self._answered[settled]
        self._answered[update_id] = is_recorded
        return not is_known
