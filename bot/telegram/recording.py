"""Recording before acknowledging: an update is in the ledger before Telegram is told.

python-telegram-bot puts each update into a queue. The poller's offset moves on, and the webhook
answers 200, only after `put` returns, so what is durable by then is never lost: a process that
dies earlier is sent the update again, and its source keys count it once.
"""

import asyncio
import logging
from collections.abc import Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import telegram
from telegram.ext import Application

from bot.classification import Entry, Heard, Migration, heard_in, seen_in
from bot.issue_keys import IssueKeys
from bot.settings import Settings
from bot.telegram.gate import Gate
from bot.telegram.spool import Spool
from bot.telegram.updates import message_of, migration_of, press_of
from ledger.application import EngagementLedger
from ledger.errors import ClockBehindError, LedgerError, LedgerUnavailableError
from ledger.interaction import Interaction, OptOut
from projections.application import EngagementTracker

_log = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0
"""For so long a record may keep an update waiting; then it goes to the spool."""

HURRY_SECONDS = 0.05
"""The same while the ledger is known not to answer: one after another, patience would add up."""

PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between attempts to drain the spool; the last one repeats."""

_WAITS = (LedgerUnavailableError, ClockBehindError)
"""What ends by itself, or by somebody's hand: the entry waits for that."""


class Recorder:
    """Records what updates say, and never stands in anybody's way (R13).

    What the ledger cannot take goes to the spool, and from there to the ledger once it can. While
    anything waits there, everything new waits behind it, so that the order stays.
    """

    def __init__(
        self,
        bot: telegram.Bot,
        tracker: EngagementTracker,
        *,
        spool: Path,
        keys: IssueKeys,
        gate: Gate | None = None,
    ) -> None:
        """Record through `tracker` what `bot` receives; `spool` is a file of this bot's own."""
        self._bot = bot
        self._ledger = tracker.engagements.ledger
        self._clock = tracker.engagements.clock
        self._keys = keys
        self._gate = gate
        self._spool = Spool(spool)
        self._draining: asyncio.Task[None] | None = None
        self._is_well = True

    @property
    def is_behind(self) -> bool:
        """Tell whether anything waits in the spool."""
        return not self._spool.is_empty

    async def record_update(self, update: object) -> None:
        """Record what `update` says, if anything, before returning; an error is only logged."""
        if not isinstance(update, telegram.Update):
            return
        try:
            heard = await self._heard(update)
            if heard.left_out:
                _log.info("issues beyond the limit", extra={"left_out": heard.left_out})
            if heard.entries:
                await self._keep(heard.entries)
        except Exception as error:  # noqa: BLE001 - whatever it is, the conversation goes on
            _log.warning("not recorded", extra={"error": type(error).__name__})

    async def drain(self) -> None:
        """Bring what waits in the spool to the ledger, however long that takes."""
        pauses = chain(PAUSES_SECONDS, repeat(PAUSES_SECONDS[-1]))
        while self.is_behind:
            try:
                await asyncio.to_thread(self.drain_now)
            except (*_WAITS, OSError) as error:
                _log.debug("spool waits", extra={"error": type(error).__name__})
                await asyncio.sleep(next(pauses))

    def drain_now(self) -> None:
        """Bring what waits in the spool to the ledger, or raise what is in the way."""
        self._spool.drain(self._record_now)

    def start_draining(self) -> None:
        """Begin to drain, beside whatever else goes on, unless that has begun."""
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self.drain(), name="engagement-spool")

    async def close(self) -> None:
        """Stop draining; what waits is drained at the next start."""
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.gather(self._draining, return_exceptions=True)
        self._spool.close()

    async def _heard(self, update: telegram.Update) -> Heard:
        migration = migration_of(update)
        if migration is not None:
            if self._gate is not None:
                self._gate.migrate({migration.old_chat_id: migration.new_chat_id})
            return Heard((migration,))
        message = message_of(update, self._bot)
        if message is not None:
            heard = heard_in(message, self._keys)
            who = (message.chat_id, message.chat_kind, message.sender_id)
            is_open = not heard.entries or self._gate is None or await self._gate.is_open(*who)
            return heard if is_open else Heard()
        press = press_of(update, self._bot, self._clock())
        return Heard() if press is None else seen_in(press, self._keys)

    async def _keep(self, entries: Sequence[Entry]) -> None:
        if not self.is_behind:
            patience = PATIENCE_SECONDS if self._is_well else HURRY_SECONDS
            try:
                await asyncio.wait_for(self._record(entries), patience)
            except (*_WAITS, TimeoutError) as error:
                self._is_well = False
                _log.warning("ledger cannot be written", extra={"error": type(error).__name__})
            else:
                self._is_well = True
                return
        await asyncio.to_thread(self._spool.append, entries)
        self.start_draining()

    async def _record(self, entries: Sequence[Entry]) -> None:
        outcomes = await asyncio.gather(
            *(self._record_one(entry) for entry in entries), return_exceptions=True
        )
        errors = [each for each in outcomes if isinstance(each, BaseException)]
        for error in errors:
            if isinstance(error, _WAITS) or not isinstance(error, LedgerError):
                raise error
        _log_outcomes(len(entries) - len(errors), errors)

    async def _record_one(self, entry: Entry) -> object:
        if isinstance(entry, Migration):
            return await asyncio.to_thread(_migrate, self._ledger, entry)
        return await self._ledger.record_async(entry)

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
        outcomes = self._ledger.record_many(entries)
        errors = [each for each in outcomes if isinstance(each, LedgerError)]
        _log_outcomes(len(entries) - len(errors), errors)


def _migrate(ledger: EngagementLedger, migration: Migration) -> None:
    ledger.migrate_chat(str(migration.old_chat_id), str(migration.new_chat_id))


def _log_outcomes(recorded: int, errors: Sequence[BaseException]) -> None:
    reasons = sorted({type(error).__name__ for error in errors})
    _log.debug("recorded", extra={"entries": recorded, "refused": len(errors), "why": reasons})


class RecordingQueue(asyncio.Queue[object]):
    """An update queue whose `put` returns once the update is recorded."""

    def __init__(self, recorder: Recorder) -> None:
        """Record through `recorder`."""
        super().__init__()
        self._recorder = recorder

    async def put(self, item: object) -> None:
        """Record `item`, then queue it; never raises."""
        await self._recorder.record_update(item)
        await super().put(item)


def install(
    application: Application[Any, Any, Any, Any, Any, Any],
    tracker: EngagementTracker,
    settings: Settings | None = None,
    *,
    gate: Gate | None = None,
) -> Recorder:
    """Let `application` record what it receives, before it starts; return the recorder.

    Nothing else of the application changes. Whoever calls `application.process_update` without the
    queue calls `await recorder.record_update(update)` first. On stopping, `await recorder.close()`.
    """
    recorder = Recorder(
        application.bot,
        tracker,
        spool=spool_path(tracker, application.bot.token, settings),
        keys=IssueKeys() if settings is None else settings.issue_keys,
        gate=gate,
    )
    application.update_queue = RecordingQueue(recorder)
    if application.updater is not None:
        application.updater.update_queue = application.update_queue
    return recorder


def spool_path(tracker: EngagementTracker, token: str, settings: Settings | None) -> Path:
    """Return the file in which this bot's entries wait: beside the database if that is a file."""
    database = tracker.engagements.ledger.database.path
    if database is None:
        database = Path(settings.home if settings else ".") / "ledger"
    bot_id = token.partition(":")[0]
    return database.with_name(f"{database.name}.spool-{bot_id}")
