"""Keeping what was heard: in the ledger, or in the spool until the ledger can take it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain, repeat
from pathlib import Path
from typing import TypeVar

from bot.classification import Entry, Migration
from bot.telegram.spool import Spool
from ledger.application import EngagementLedger
from ledger.errors import (
    ClockBehindError,
    FutureInteractionError,
    InvalidInteractionError,
    LedgerError,
    LedgerUnavailableError,
    OptedOutError,
)
from ledger.instants import DAY, Instant
from ledger.interaction import FOREVER, Interaction, OptOut

_log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_SECONDS = 2.0
"""For so long a record may keep an update waiting; then it goes to the spool."""

HURRY_SECONDS = 0.05
"""The same while the ledger is known not to answer: one after another, patience would add up."""

PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between attempts to drain the spool; the last one repeats."""

BELIEVED_AHEAD = 400 * DAY
"""A message that is dated so far ahead of this clock shows a wrong clock; further, a wrong date."""


class Keeper:
    """Keeps entries durably, in their order; while anything waits, what is new waits behind it."""

    def __init__(self, ledger: EngagementLedger, spool: Path) -> None:
        """Keep in `ledger`, and in the file `spool` what has to wait."""
        self._ledger = ledger
        self._spool = Spool(spool)
        # Threads of its own: others may all be waiting for the ledger.
        self._spooling = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._recording = ThreadPoolExecutor(1, thread_name_prefix="drain")
        self._draining: asyncio.Task[None] | None = None
        self._is_well = True
        self._wills: dict[str, bool] = {}

    @property
    def is_behind(self) -> bool:
        """Tell whether anything waits in the spool."""
        return not self._spool.is_empty

    def will_of(self, user_id: str) -> bool | None:
        """Tell whether an opt-out (True) or opt-in of the user waits in the spool, if one does."""
        return self._wills.get(user_id)

    async def keep(self, entries: Sequence[Entry]) -> None:
        """Return once `entries` are durable; raise where neither ledger nor spool takes them."""
        if not self.is_behind and await self._is_recorded(entries):
            return
        wanted = [entry for entry in entries if await self._is_wanted(entry)]
        if not wanted:
            return
        try:
            await _in(self._spooling, lambda: self._spool.append(wanted))
        except OSError:
            # The spool may be another process's that is about to end, while the ledger is well.
            if not await self._is_recorded(wanted):
                raise
            return
        self._wills |= {e.user_id: e.before == FOREVER for e in wanted if isinstance(e, OptOut)}
        self.start_draining()

    async def drain(self) -> None:
        """Bring what waits in the spool to the ledger, however long that takes."""
        pauses = chain(PAUSES_SECONDS, repeat(PAUSES_SECONDS[-1]))
        while self.is_behind:
            try:
                await _in(self._recording, self.drain_now)
            except (LedgerError, OSError) as error:
                _log.debug("spool waits", extra={"error": type(error).__name__})
                await asyncio.sleep(next(pauses))
        self._wills.clear()

    def drain_now(self) -> None:
        """Bring what waits in the spool to the ledger, or raise what is in the way."""
        self._spool.drain(self._record_now)

    def start_draining(self) -> None:
        """Begin to drain, beside whatever else goes on, unless that has begun."""
        if self.is_behind and (self._draining is None or self._draining.done()):
            self._draining = asyncio.create_task(self.drain(), name="engagement-spool")

    async def close(self) -> None:
        """Stop draining; what waits is drained at the next start."""
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.gather(self._draining, return_exceptions=True)
        for threads in (self._spooling, self._recording):
            threads.shutdown(wait=False, cancel_futures=True)
        self._spool.close()

    async def _is_recorded(self, entries: Sequence[Entry]) -> bool:
        patience = PATIENCE_SECONDS if self._is_well else HURRY_SECONDS
        try:
            await asyncio.wait_for(self._record(entries), patience)
        except (LedgerError, TimeoutError) as error:
            self._is_well = False
            _log.warning("ledger cannot be written", extra={"error": type(error).__name__})
        else:
            self._is_well = True
        return self._is_well

    async def _record(self, entries: Sequence[Entry]) -> None:
        outcomes = await asyncio.gather(
            *(self._record_one(entry) for entry in entries), return_exceptions=True
        )
        _settle([each for each in outcomes if isinstance(each, BaseException)])

    async def _record_one(self, entry: Entry) -> object:
        if isinstance(entry, Migration):
            return await asyncio.to_thread(_migrate, self._ledger, entry)
        return await self._ledger.record_async(entry)

    async def _is_wanted(self, entry: Entry) -> bool:
        """Tell whether an entry may wait: not the words of somebody who opted out, if we know."""
        if not isinstance(entry, Interaction):
            return True
        will = self._wills.get(entry.user_id)
        if will is None:
            occurred_at = entry.occurred_at or Instant(0)
            with suppress(LedgerError):
                will = await asyncio.to_thread(
                    self._ledger.is_opted_out, entry.user_id, occurred_at
                )
        return not will

    def _record_now(self, entries: Sequence[Entry]) -> None:
        waiting: list[Interaction | OptOut] = []
        for entry in entries:
            if isinstance(entry, Migration):
                self._record_many(waiting)
                waiting = []
                _migrate(self._ledger, entry)
            else:
                waiting.append(entry)
        self._record_many(waiting)
        _log.info("recorded from the spool", extra={"entries": len(entries)})

    def _record_many(self, entries: Sequence[Interaction | OptOut]) -> None:
        try:
            outcomes = self._ledger.record_many(entries)
        except (LedgerUnavailableError, ClockBehindError):
            raise
        except Exception as error:  # noqa: BLE001 - one entry that cannot be stored holds up no other
            if len(entries) == 1:
                _log.warning("not recorded", extra={"error": type(error).__name__})
                return
            for entry in entries:
                self._record_many([entry])
            return
        _settle([each for each in outcomes if isinstance(each, LedgerError)])


def _migrate(ledger: EngagementLedger, migration: Migration) -> None:
    ledger.migrate_chat(str(migration.old_chat_id), str(migration.new_chat_id))


def _settle(errors: Sequence[BaseException]) -> None:
    """Raise the first of `errors` that ends by itself or by somebody's hand; log the others."""
    for error in errors:
        if not _is_final(error):
            raise error
    why = sorted({type(each).__name__ for each in errors if not isinstance(each, OptedOutError)})
    if why:
        _log.warning("not recorded", extra={"error": ", ".join(why)})


def _is_final(error: BaseException) -> bool:
    if isinstance(error, FutureInteractionError):
        return error.ahead > BELIEVED_AHEAD
    return isinstance(error, InvalidInteractionError | OptedOutError)


async def _in(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, work)
