"""Recording before acknowledging: an update is in the ledger before Telegram forgets it."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import telegram
from telegram.error import TimedOut
from telegram.ext import Application

from bot.listening.access import Gate
from bot.listening.bot_commands import HIDE, UNHIDE
from bot.listening.classification import (
    NOTHING,
    Entry,
    Heard,
    Message,
    done_by,
    heard_in,
    hiding_in,
)
from bot.listening.inline import heard_inline
from bot.listening.issue_keys import IssueKeys
from bot.settings import Settings
from bot.spool.durable_writer import Keeper, NotKeptError
from bot.spool.spool_file import spool_path
from bot.telegram.reception import Received, Reception, understood
from bot.telegram.turns import Turns, settled
from bot.telegram.updates import ParsedUpdate
from ledger.commands import Interaction
from ledger.instants import Instant, moment_of
from projections.application import EngagementTracker

# An update queue that accepts only recorded updates; Telegram sends the others again.

ANSWERED_AT_MOST = 100
"""The most updates that Telegram delivers before the first of them is acknowledged."""

AGAIN_SECONDS = 1.0
"""Seconds after which updates that could not be recorded are requested again."""

WAITING_SECONDS = 0.2
"""Seconds after which the next updates are requested while some wait for Linear."""

_NOT_RECORDED = "neither the ledger nor the spool can be written"
_WAITS = "an update waits for Linear"

IsLast = Callable[[int], bool]
"""Returns whether the update with this id is the last one of its batch."""


class NotAcknowledgedError(TimedOut):
    """Updates were not recorded; this error makes the poller request them again at once."""


class UpdateRecorder(Protocol):
    """The interface of the recorder that the queue uses."""

    async def begin(self, update: object) -> asyncio.Future[bool]:
        """Begin to record an update; the result is whether it may be acknowledged.

        All but what waits for Linear is recorded on return.
        """
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

    An update that cannot be recorded is still answered once, and comes again. One that waits for
    Linear comes again, too, until it is recorded, but delays no other, and is answered after that.
    """

    def __init__(self, recorder: UpdateRecorder, is_last: IsLast = always_last) -> None:
        """Record through `recorder`; `is_last` tells whether an update is the last of its batch."""
        super().__init__()
        self._recorder = recorder
        self._is_last = is_last
        self._is_failing = False
        self._answered: dict[int, bool] = {}
        # Of the updates that are not acknowledged yet, those that are recorded, or wait.
        self._begun: dict[int, asyncio.Future[bool]] = {}

    async def get(self) -> object:
        """Return the next item; the first call starts draining the spool of an earlier run."""
        self._recorder.start_draining()
        return await super().get()

    async def put(self, item: object) -> None:
        """Record `item`, then queue it; for a poller that puts one batch after another.

        Raises NotAcknowledgedError at the end of a batch if any update of it was not recorded; the
        poller then requests the whole batch again.
        """
        if not isinstance(item, telegram.Update):
            await super().put(item)
            return
        if item.update_id not in self._begun:
            await self._begin(item)
        if self._is_last(item.update_id):
            await self._end_batch()

    async def take(self, update: telegram.Update) -> bool:
        """Record `update`, queue it, and return whether it may be acknowledged."""
        had_failed = self._answered.get(update.update_id) is False
        is_recorded = await (await self._recorder.begin(update))
        await self._answer(update, is_recorded=is_recorded)
        if is_recorded and had_failed:
            self._recorder.recover()
        return is_recorded

    async def _begin(self, update: telegram.Update) -> None:
        # After a failure the rest of the batch is not recorded, to keep the order: all of it comes
        # again.
        if self._is_failing:
            await self._answer(update, is_recorded=False)
            return
        recording = await self._recorder.begin(update)
        self._begun[update.update_id] = recording
        if recording.done():
            await self._finish(update, recording)
        else:
            self._begun[update.update_id] = asyncio.create_task(self._finish(update, recording))

    async def _finish(self, update: telegram.Update, recording: asyncio.Future[bool]) -> bool:
        is_recorded = await recording
        if not is_recorded:
            self._is_failing = True
            del self._begun[update.update_id]
        await self._answer(update, is_recorded=is_recorded)
        return is_recorded

    async def _end_batch(self) -> None:
        if self._is_waiting():
            await asyncio.wait(self._begun.values(), timeout=WAITING_SECONDS)
        if self._is_failing:
            self._is_failing = False
            await asyncio.sleep(AGAIN_SECONDS)
            raise NotAcknowledgedError(_NOT_RECORDED)
        if self._is_waiting():
            raise NotAcknowledgedError(_WAITS)
        self._begun.clear()
        self._recorder.recover()

    def _is_waiting(self) -> bool:
        return any(each.cancelled() or not each.done() for each in self._begun.values())

    async def _answer(self, update: telegram.Update, *, is_recorded: bool) -> None:
        if self._is_new(update.update_id, is_recorded):
            await super().put(update)

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


# python-telegram-bot puts each update into a queue. The poller advances its offset, and the webhook
# answers 200, only after `put` returns, so an update that is durable by then is never lost: if the
# process dies earlier, Telegram sends the update again, and its source keys count it once.

_log = logging.getLogger(__name__)

FORGOTTEN_AT_MOST = 1_000
"""The most users who are remembered as just forgotten; each is relevant only for a second."""


class Outage(NamedTuple):
    """An outage of recording: its start, its reason, and whether it is over."""

    since: dt.datetime
    reason: str
    is_over: bool = False


class _Forgotten(NamedTuple):
    at: dt.datetime
    latest_update_id: int


def _nobody(_: object) -> None:
    """Ignore the outage."""


class Recorder:
    """Records updates without ever preventing an answer (R13).

    Entries that the ledger cannot take wait with the `keeper` until it can.
    """

    def __init__(  # noqa: PLR0913 - everything that decides what is recorded, and where
        self,
        bot: telegram.Bot,
        tracker: EngagementTracker,
        *,
        spool: Path,
        keys: IssueKeys,
        gate: Gate | None = None,
        has_linear: bool = False,
    ) -> None:
        """Record the updates of `bot` through `tracker`; no other bot may use the file `spool`.

        `has_linear` is that of `Keeper`.
        """
        self.keeper = Keeper(tracker, spool, gate, has_linear=has_linear)
        self.tell_of: Callable[[Outage], None] = _nobody
        self.latest_update_id = 0
        self._outage: Outage | None = None
        self._forgotten: dict[str, _Forgotten] = {}
        self._unread = 0
        self._clock = tracker.engagements.clock
        self.keys = keys
        self.reception = Reception(bot, keys, gate, self._clock)
        self._turns = Turns()

    async def record_update(self, update: object) -> bool:
        """Record the interactions of `update`, if any; return whether it may be acknowledged.

        If not, Telegram must send it again. An update that cannot be parsed would come for ever, so
        it is logged and acknowledged.
        """
        return await (await self.begin(update))

    async def begin(self, update: object) -> asyncio.Future[bool]:
        """Begin to record `update`; the result is that of `record_update`.

        It is there on return, unless the update waits for Linear, or is behind one that does: the
        private updates of a user are recorded in their order.
        """
        if not isinstance(update, telegram.Update):
            return settled(is_done=True)
        self.latest_update_id = max(self.latest_update_id, update.update_id)
        try:
            received = await self.reception.receive(update)
        except Exception as error:  # noqa: BLE001 - no error may prevent the answer
            self._note(type(error).__name__)
            return settled(is_done=False)
        record = partial(self._is_recorded, received, update.update_id)
        return await self._turns.take(
            received.parsed.sender, record, waits=received.check is not None
        )

    async def _is_recorded(self, received: Received, update_id: int) -> bool:
        try:
            await self._keep(received, update_id)
        except NotKeptError as error:
            self._note(error.reason)
        except Exception as error:  # noqa: BLE001 - no error may prevent the answer
            self._note(type(error).__name__)
        else:
            return True
        return False

    async def settle(self) -> None:
        """Return once no update waits for Linear."""
        await self._turns.settle()

    async def close(self) -> None:
        """Stop draining the spool, which continues at the next start."""
        await self.keeper.close()

    def start_draining(self) -> None:
        """Start draining the entries that an earlier run left in the spool."""
        self.keeper.start_draining()

    def recover(self) -> None:
        """Report the end of an outage, if there was one."""
        outage, self._outage = self._outage, None
        if outage is not None:
            _log.warning("recording works again")
            self.tell_of(outage._replace(is_over=True))

    def forget(self, user_id: str, at: Instant, latest_update_id: int) -> None:
        """Let messages count that the user sends in the same second after being forgotten at `at`.

        Telegram's dates are whole seconds, and so before `at`. A message counts as later if its
        update id is greater than `latest_update_id`, the last one before the erasure.
        """
        if len(self._forgotten) >= FORGOTTEN_AT_MOST:
            self._forgotten.clear()
        self._forgotten[user_id] = _Forgotten(moment_of(at), latest_update_id)

    def _dated(self, message: Message, update_id: int) -> Message:
        forgotten = self._forgotten.get(str(message.sender_id))
        if forgotten is None or message.edited or update_id <= forgotten.latest_update_id:
            return message
        if message.sent_at != forgotten.at.replace(microsecond=0):
            return message
        return msgspec.structs.replace(message, sent_at=forgotten.at)

    def _note(self, reason: str) -> None:
        if self._outage is None:
            self._outage = Outage(self._clock(), reason)
            _log.error("nothing can be recorded", extra={"error": reason})
            self.tell_of(self._outage)

    def _heard_in(self, parsed: ParsedUpdate, update_id: int) -> Heard:
        if parsed.migration is not None:
            return Heard((parsed.migration,))
        if parsed.press is not None:
            return done_by(parsed.press, parsed.pressed)
        if parsed.inline is not None:
            return heard_inline(parsed.inline, parsed.counted)
        if parsed.message is None:
            return NOTHING
        message = self._dated(parsed.message, update_id)
        if message.command in {HIDE, UNHIDE}:
            return hiding_in(message, parsed.asked, self._clock())
        return heard_in(message, parsed.counted)

    async def _keep(self, received: Received, update_id: int) -> None:
        parsed, is_admitted, check = received
        missing = frozenset[str]() if check is None else await check.missing()
        heard = understood(lambda: self._heard_in(parsed, update_id), NOTHING)
        if heard.left_out:
            _log.info("issues beyond the limit", extra={"left_out": heard.left_out})
        if is_admitted is False:
            return
        entries = [each for each in heard.entries if not _is_of(each, missing)]
        if entries:
            # While the gate cannot decide, the entries wait with their sender.
            await self.keeper.keep(entries, parsed.sender if is_admitted is None else None)
        if parsed.is_unread:
            self._unread += 1
            _log.warning("content not read", extra={"messages": self._unread})


def _is_of(entry: Entry, issues: Collection[str]) -> bool:
    return isinstance(entry, Interaction) and entry.issue_id in issues


def install(
    application: Application[Any, Any, Any, Any, Any, Any],
    tracker: EngagementTracker,
    settings: Settings | None = None,
    *,
    gate: Gate | None = None,
    is_last: IsLast = always_last,
) -> Recorder:
    """Make `application` record its updates; call this before it starts. Returns the recorder.

    Nothing else about the application changes. If you call `application.process_update` without the
    queue, call `await recorder.record_update(update)` first, and acknowledge the update only if it
    returns true. On stopping, call `await recorder.close()`. `is_last` is that of `RecordingQueue`;
    `PollingRequest` provides it. Without it, only the first waiting update is answered while
    nothing can be recorded; none is lost.
    """
    database = tracker.engagements.ledger.database.path
    recorder = Recorder(
        application.bot,
        tracker,
        spool=spool_path(database, application.bot.token, settings),
        keys=IssueKeys() if settings is None else settings.issue_keys,
        gate=gate,
        has_linear=settings is not None and settings.linear_api_key is not None,
    )
    application.update_queue = RecordingQueue(recorder, is_last)
    if application.updater is not None:
        application.updater.update_queue = application.update_queue
    return recorder
