"""Reception of updates: what each says, and whether the bot listens to its sender, found once."""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import telegram

from bot.listening.access import Gate
from bot.listening.classification import Sender
from bot.listening.issue_keys import IssueKeys
from bot.telegram.key_check import Check, KeyCheck
from bot.telegram.look_ups import Known
from bot.telegram.sending import fault
from bot.telegram.updates import ParsedUpdate, parsed
from ledger.application import Clock
from ledger.errors import InvalidInteractionError

_log = logging.getLogger(__name__)

T = TypeVar("T")

CARRIED_AT_MOST = 100
"""The most updates that are carried, as many as one poll brings; older ones are parsed again."""


class Received(NamedTuple):
    """A parsed update, and whether the gate admits its sender; None if it could not decide.

    `check` is that of the update's keys, if they are not recorded in any case.
    """

    parsed: ParsedUpdate
    is_admitted: bool | None
    check: Check | None = None

    @property
    def known(self) -> Known | None:
        """The answers of Linear that the check has brought."""
        return None if self.check is None else self.check.known


class Reception:
    """Parses each update once, asks the gate once, and Linear: for recording, and for the answer.

    Recording comes first, so the verdict of the gate is carried until the update is answered. By
    then nothing can have taken a permission back: settings do not change while the bot runs,
    migrations only add chats, and the ledger goes on knowing a user who opts out or is forgotten.
    A refusal holds for its update, even if the sender becomes known in between: what was not
    recorded is not answered either. If the gate could not decide, that is no permission, and it is
    asked again. An answer reads the ledger when it is sent, and so shows nothing that was deleted
    in between.

    An update is found again by being the same object; another one with its id, such as one that
    Telegram sends again, is parsed on its own. So is an update that was not recorded, or is no
    longer carried because of many later ones.
    """

    def __init__(self, bot: telegram.Bot, keys: IssueKeys, gate: Gate | None, clock: Clock) -> None:
        """Receive updates of `bot`; without a gate, all senders are admitted."""
        self._bot = bot
        self.keys = keys
        self._gate = gate
        self._clock = clock
        self.key_check: KeyCheck | None = None
        """Set where Linear can be asked."""
        # Belongs to the event loop: the updates that were recorded and not yet answered, by id.
        self._carried: dict[int, tuple[telegram.Update, Received]] = {}

    async def receive(self, update: telegram.Update) -> Received:
        """Parse `update`, ask the gate, and begin to check its keys.

        All of that is carried until `take`, if the update may be answered.
        """
        received = await self._received(update)
        if self.key_check is not None and received.is_admitted:
            check = self.key_check.begin(received.parsed)
            received = received._replace(check=check)
        if _may_be_answered(update):
            self._carried.pop(update.update_id, None)
            self._carried[update.update_id] = update, received
            if len(self._carried) > CARRIED_AT_MOST:
                del self._carried[next(iter(self._carried))]
        return received

    async def take(self, update: telegram.Update) -> Received:
        """Return what `receive` found in `update`, which is then no longer carried."""
        carried, received = self._carried.pop(update.update_id, (None, None))
        if received is None or carried is not update:
            return await self._received(update)
        if received.is_admitted is None:
            return received._replace(is_admitted=await self._is_admitted(received.parsed.sender))
        return received

    async def _received(self, update: telegram.Update) -> Received:
        found = understood(
            lambda: parsed(update, self._bot, self.keys, self._clock()), ParsedUpdate()
        )
        if self._gate is not None and found.migration is not None:
            self._gate.migrate({found.migration.old_chat_id: found.migration.new_chat_id})
        return Received(found, await self._is_admitted(found.sender))

    async def _is_admitted(self, sender: Sender | None) -> bool | None:
        if self._gate is None or sender is None:
            return True
        try:
            return await lets_in(self._gate, sender)
        except Exception as error:  # noqa: BLE001 - it is asked again
            _log.warning("users unread", extra={"error": type(error).__name__})
            return None


def _may_be_answered(update: telegram.Update) -> bool:
    answerable = (update.message, update.callback_query, update.inline_query, update.guest_message)
    return any(each is not None for each in answerable)


def understood(find: Callable[[], T], otherwise: T) -> T:
    """Return what `find` finds in an update; `otherwise` if it fails, as it would fail again."""
    try:
        return find()
    except MemoryError:
        raise
    except InvalidInteractionError as refusal:  # refused by R1, which is not a fault
        _log.warning("not recorded", extra={"error": type(refusal).__name__})
    except Exception as error:  # noqa: BLE001 - see above
        _log.warning("not understood", extra={"error": fault(error)})
    return otherwise


async def lets_in(gate: Gate, sender: Sender) -> bool:
    """Ask the gate without blocking the event loop."""
    return gate.is_listed(sender) or await asyncio.to_thread(gate.is_known, sender)
