"""The durable writer of entries: to the ledger, or to the spool until the ledger is available."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat
from pathlib import Path
from typing import TypeVar

import msgspec

from bot.listening.access import Gate
from bot.listening.classification import Entry, Migration, Sender
from bot.spool.spool_file import Spool, Waiting, line_of
from ledger.commands import FOREVER, Hiding, Interaction, OptOut
from ledger.errors import (
    ClockBehindError,
    FutureInteractionError,
    InvalidInteractionError,
    LedgerError,
    LedgerUnavailableError,
    OptedOutError,
    UnknownEngagementError,
)
from ledger.instants import DAY, Instant
from projections.application import EngagementTracker

_log = logging.getLogger(__name__)

T = TypeVar("T")

Command = Interaction | Hiding | OptOut

PATIENCE_SECONDS = 2.0
"""Seconds that an update waits for the ledger; then its entries go to the spool."""

HURRY_SECONDS = 0.05
"""The same while the ledger is known to be down, so that waits of queued updates do not add up."""

PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to drain the spool; the last one repeats."""

BELIEVED_AHEAD = 400 * DAY
"""Dates up to this far ahead mean that this clock is wrong; beyond it, that the date is wrong."""


class NotKeptError(Exception):
    """Neither the ledger nor the spool could store an entry; `reason` is a short text."""

    def __init__(self, error: BaseException) -> None:
        """Derive the reason from the spool's error."""
        told = error.strerror if isinstance(error, OSError) else None
        self.reason = told or type(error).__name__
        super().__init__(self.reason)


class Keeper:
    """Stores entries durably and in order: while any wait in the spool, new ones go there, too."""

    def __init__(
        self,
        tracker: EngagementTracker,
        spool: Path,
        gate: Gate | None = None,
        *,
        has_linear: bool = False,
    ) -> None:
        """Record through `tracker`, or in the file `spool` while its ledger or `gate` fails.

        With `has_linear`, interactions are recorded with Linear's UUIDs of issues that were found.
        """
        self._tracker = tracker
        self._has_linear = has_linear
        self._ledger = tracker.engagements.ledger
        self._gate = gate
        self._spool = Spool(spool)
        # Its own threads, since those of the shared pool may all be waiting for the ledger. One
        # thread each: appends happen in the order in which they were submitted, and so do drains.
        self._spooling = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._recording = ThreadPoolExecutor(1, thread_name_prefix="drain")
        # These belong to the event loop: only coroutines write them, never a thread, so they need
        # no lock. `_draining` is the only task that drains in the background; `_is_well` is whether
        # the last attempt to record succeeded; `_wills` has the opt-outs (True) and opt-ins that
        # wait in the spool, and is empty once it is drained.
        self._draining: asyncio.Task[None] | None = None
        self._is_well = True
        self._wills: dict[str, bool] = {}

    async def reserve(self) -> None:
        """Reserve disk space for the spool."""
        await _in(self._spooling, self._spool.reserve)

    @property
    def is_behind(self) -> bool:
        """Whether entries wait in the spool."""
        return not self._spool.is_empty

    def will_of(self, user_id: str) -> bool | None:
        """The user's opt-out (True) or opt-in (False) that waits in the spool, or None."""
        return self._wills.get(user_id)

    async def keep(self, entries: Sequence[Entry], doubted: Sender | None = None) -> None:
        """Return once `entries` are durable; raise NotKeptError if nothing can store them.

        Entries of a `doubted` sender wait until the gate can decide about that sender.
        """
        if doubted is None and not self.is_behind and await self._is_recorded(entries):
            return
        wanted = [Waiting(entry, doubted) for entry in entries if await self._is_wanted(entry)]
        if not wanted:
            return
        try:
            await _in(self._spooling, lambda: self._spool.append(wanted))
        except Exception as error:
            # A process that is about to end may hold the spool while the ledger is available.
            if doubted is not None or not await self._is_recorded([each.entry for each in wanted]):
                raise NotKeptError(error) from error
            return
        self._wills |= {e.user_id: e.before == FOREVER for e in entries if isinstance(e, OptOut)}
        self.start_draining()

    async def drain(self) -> None:
        """Drain the spool into the ledger, retrying until that succeeds."""
        pauses = chain(PAUSES_SECONDS, repeat(PAUSES_SECONDS[-1]))
        while self.is_behind:
            try:
                await _in(self._recording, self.drain_now)
            except Exception as error:  # noqa: BLE001 - any error: nothing else drains the spool
                _log.debug("spool waits", extra={"error": type(error).__name__})
                await asyncio.sleep(next(pauses))
        self._wills.clear()

    def drain_now(self) -> None:
        """Drain the spool into the ledger once; raises the error that prevents it."""
        self._spool.drain(self._record_now)

    def forget(self, user_id: str) -> None:
        """Record waiting entries, so that the ledger can erase them, and delete set-aside lines."""
        self.drain_now()
        self._spool.forget(user_id)

    def start_draining(self) -> None:
        """Start draining in the background, unless that is running."""
        if self.is_behind and (self._draining is None or self._draining.done()):
            self._draining = asyncio.create_task(self.drain(), name="engagement-spool")

    async def close(self) -> None:
        """Stop draining; remaining entries are drained at the next start."""
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.gather(self._draining, return_exceptions=True)
        for threads in (self._spooling, self._recording):
            threads.shutdown(wait=False, cancel_futures=True)
        self._spool.close()

    async def _is_recorded(self, entries: Sequence[Entry]) -> bool:
        patience = PATIENCE_SECONDS if self._is_well else HURRY_SECONDS
        was_well = self._is_well
        try:
            await asyncio.wait_for(self._record(entries), patience)
        except Exception as error:  # noqa: BLE001 - any error: the spool can store them
            self._is_well = False
            level = logging.WARNING if was_well else logging.DEBUG
            _log.log(level, "ledger cannot be written", extra={"error": type(error).__name__})
        else:
            self._is_well = True
        return self._is_well

    async def _record(self, entries: Sequence[Entry]) -> None:
        match entries:
            case [Migration() as migration]:
                await asyncio.to_thread(self._migrate, migration)
            case _:
                commands = _commands_among(entries)
                if self._has_linear:
                    commands = await _in(self._recording, lambda: self._identified(commands))
                outcomes = await self._tracker.track_all(commands)
                _settle([each for each in outcomes if isinstance(each, LedgerError)])

    async def _is_wanted(self, entry: Entry) -> bool:
        """Whether an entry may be spooled: not if its user is known to have opted out."""
        if not isinstance(entry, Interaction | Hiding):
            return True
        will = self._wills.get(entry.user_id)
        return not (await self._is_opted_out(entry) if will is None else will)

    async def _is_opted_out(self, entry: Interaction | Hiding) -> bool:
        at = entry.occurred_at or Instant(0)
        try:
            return await asyncio.to_thread(self._ledger.is_opted_out, entry.user_id, at)
        except Exception as error:  # noqa: BLE001 - the ledger refuses it when it is drained
            _log.debug("opt-outs unread", extra={"error": type(error).__name__})
            return False

    def _record_now(self, waiting: Sequence[Waiting]) -> None:
        together: list[Entry] = []
        for each in waiting:
            if each.sender is None and not isinstance(each.entry, Migration):
                together.append(each.entry)
                continue
            self._record_many(together)  # an earlier opt-out refuses later entries
            together = []
            if self._lets_in(each.sender):
                self._record_many([each.entry])
        self._record_many(together)
        _log.info("recorded from the spool", extra={"entries": len(waiting)})

    def _lets_in(self, sender: Sender | None) -> bool:
        if sender is None or self._gate is None or self._gate.lets_in(sender):
            return True
        _log.info("not recorded", extra={"why": "the bot does not listen there"})
        return False

    def _record_many(self, entries: Sequence[Entry]) -> None:
        try:
            outcomes = self._recorded(entries)
        except _PASSING:
            raise
        except Exception as error:  # noqa: BLE001 - one entry that cannot be stored holds up no other
            if len(entries) == 1:
                self._set_aside(entries[0], error)
                return
            for entry in entries:
                self._record_many([entry])
            return
        refused = [
            (entry, outcome)
            for entry, outcome in zip(entries, outcomes, strict=True)
            if isinstance(outcome, LedgerError)
        ]
        _settle([outcome for _, outcome in refused])
        for entry, outcome in refused:
            if not isinstance(outcome, _EXPECTED):
                self._set_aside(entry, outcome)

    def _recorded(self, entries: Sequence[Entry]) -> Sequence[object]:
        match entries:
            case [Migration() as migration]:
                self._migrate(migration)
                return [None]
        commands = _commands_among(entries)
        return self._ledger.record_many(
            self._identified(commands) if self._has_linear else commands
        )

    def _identified(self, commands: list[Command]) -> list[Command]:
        """The commands, with Linear's UUIDs of the issues of interactions as far as known.

        What cannot be read is left out, as it is where nothing was found: answers look again.
        """
        touches = [each for each in commands if isinstance(each, Interaction)]
        try:
            issues = self._tracker.engagements.issues
            found = issues.linear_ids((each.issue_id, each.occurred_at) for each in touches)
        except Exception as error:  # noqa: BLE001 - this may not prevent recording
            _log.debug("issues unread", extra={"error": type(error).__name__})
            return commands
        ids = {touch: id_ for touch, id_ in zip(touches, found, strict=True) if id_ is not None}
        return [_with_linear_id(each, ids) for each in commands]

    def _migrate(self, migration: Migration) -> None:
        self._ledger.migrate_chat(str(migration.old_chat_id), str(migration.new_chat_id))

    def _set_aside(self, entry: Entry, error: BaseException) -> None:
        self._spool.set_aside(line_of(Waiting(entry)))
        _log.warning("not recorded", extra={"error": type(error).__name__})


_PASSING = (LedgerUnavailableError, ClockBehindError, OSError, MemoryError)
"""Errors that concern the ledger rather than a single entry."""


_EXPECTED = OptedOutError | UnknownEngagementError
"""Refusals of valid requests, which the bot's answer explains."""


def _commands_among(entries: Sequence[Entry]) -> list[Command]:
    return [each for each in entries if not isinstance(each, Migration)]


def _with_linear_id(command: Command, ids: Mapping[Interaction, str]) -> Command:
    if not isinstance(command, Interaction) or command not in ids:
        return command
    return msgspec.structs.replace(command, linear_id=ids[command])


def _settle(errors: Sequence[BaseException]) -> None:
    """Raise the first of `errors` that is temporary or that an operator can fix; log the others."""
    for error in errors:
        if not _is_final(error):
            raise error
    why = sorted({type(each).__name__ for each in errors if not isinstance(each, _EXPECTED)})
    if why:
        _log.warning("not recorded", extra={"error": ", ".join(why)})


def _is_final(error: BaseException) -> bool:
    if isinstance(error, FutureInteractionError):
        return error.ahead > BELIEVED_AHEAD
    return isinstance(error, InvalidInteractionError | _EXPECTED)


async def _in(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    try:
        working = asyncio.get_running_loop().run_in_executor(threads, work)
    except RuntimeError:  # no thread can be started: work in the event loop's
        return work()
    return await working
