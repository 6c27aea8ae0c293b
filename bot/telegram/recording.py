"""Recording before acknowledging: an update is in the ledger before Telegram is told.

python-telegram-bot puts each update into a queue. The poller's offset moves on, and the webhook
answers 200, only after `put` returns, so what is durable by then is never lost: a process that
dies earlier is sent the update again, and its source keys count it once.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any

import telegram
from telegram.ext import Application

from bot.classification import ChatKind, Heard, Migration, heard_in, seen_in
from bot.issue_keys import IssueKeys
from bot.settings import Settings
from bot.telegram.gate import Gate
from bot.telegram.keeping import Keeper
from bot.telegram.updates import message_of, migration_of, press_of
from projections.application import EngagementTracker

_log = logging.getLogger(__name__)


class Recorder:
    """Records what updates say, and never stands in anybody's way (R13).

    What the ledger cannot take waits with the `keeper`, and goes to the ledger once it can.
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
        self.keeper = Keeper(tracker.engagements.ledger, spool)
        self._bot = bot
        self._clock = tracker.engagements.clock
        self._keys = keys
        self._gate = gate

    async def record_update(self, update: object) -> None:
        """Record what `update` says, if anything, before returning; an error is only logged."""
        if not isinstance(update, telegram.Update):
            return
        try:
            heard = await self._heard(update)
            if heard.left_out:
                _log.info("issues beyond the limit", extra={"left_out": heard.left_out})
            if heard.entries:
                await self.keeper.keep(heard.entries)
        except Exception as error:  # noqa: BLE001 - whatever it is, the conversation goes on
            _log.warning("not recorded", extra={"error": type(error).__name__})

    async def close(self) -> None:
        """Stop bringing to the ledger what waits; that goes on at the next start."""
        await self.keeper.close()

    async def _heard(self, update: telegram.Update) -> Heard:
        migration = migration_of(update)
        if migration is not None:
            return await self._moved(migration)
        message = message_of(update, self._bot)
        if message is not None:
            heard = heard_in(message, self._keys)
            who = (message.chat_id, message.chat_kind, message.sender_id)
            return heard if not heard.entries or await self._is_open(*who) else Heard()
        press = press_of(update, self._bot, self._clock())
        if press is None:
            return Heard()
        # Whoever presses acts for themselves, wherever the button stands.
        is_open = await self._is_open(press.presser_id, ChatKind.PRIVATE, press.presser_id)
        return seen_in(press, self._keys) if is_open else Heard()

    async def _moved(self, migration: Migration) -> Heard:
        if self._gate is not None:
            self._gate.migrate({migration.old_chat_id: migration.new_chat_id})
        is_open = await self._is_open(migration.new_chat_id, ChatKind.SUPERGROUP, None)
        return Heard((migration,)) if is_open else Heard()

    async def _is_open(self, chat_id: int, kind: ChatKind, user_id: int | None) -> bool:
        return self._gate is None or await self._gate.is_open(chat_id, kind, user_id)


class RecordingQueue(asyncio.Queue[object]):
    """An update queue whose `put` returns once the update is recorded."""

    def __init__(self, recorder: Recorder) -> None:
        """Record through `recorder`."""
        super().__init__()
        self._recorder = recorder

    async def get(self) -> object:
        """Return the next item; what waits from an earlier run begins to be recorded."""
        self._recorder.keeper.start_draining()
        return await super().get()

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
