"""The check of keys before recording in private: one that Linear does not show is not recorded.

Only what Linear has just said prevents it. While it does not answer, everything is recorded (R13).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from bot.linear.documents import is_identifier
from bot.linear.issue import Absent, may_be_shown
from bot.linear.observed import team_of
from bot.listening.bot_commands import CARDS, Asked
from bot.listening.classification import ISSUES_OF_A_MESSAGE, ChatKind
from bot.listening.inline import GuestMessage
from bot.telegram.look_ups import Known, LookUps
from bot.telegram.updates import ParsedUpdate
from projections.application import Engagements

_log = logging.getLogger(__name__)

LEDGER_SECONDS = 2.0
"""Seconds that a check waits for the ledger, at most twice; without it the keys are recorded."""


CHECKS_AT_ONCE = 3
"""The checks of one user under way; others are left out, so that none uses up Linear's quota."""


class Named(NamedTuple):
    """The issues that an update names: those that count, and all that its card shows."""

    counted: Sequence[str] = ()
    shown: Sequence[str] = ()


class Check:
    """The check of one update's keys, which is under way from the beginning."""

    def __init__(self, key_check: "KeyCheck", user_id: str, named: Named) -> None:
        """Check the keys that `user_id` is about to touch; those of the card are asked for, too."""
        self.known: Known | None = None
        """The answers of Linear; None until it was asked, or if that was not necessary."""
        self._key_check = key_check
        self._user_id = user_id
        self._named = named
        self._looking_up = asyncio.create_task(self._look_up(), name="key-check")
        key_check.checking[user_id] += 1
        self._looking_up.add_done_callback(lambda _: key_check.end(user_id))

    async def missing(self) -> frozenset[str]:
        """The keys that are not recorded: Linear does not show them, nor does the ledger know them.

        Takes as long as a card waits for Linear, at most.
        """
        await self._looking_up
        answers = {} if self.known is None else self.known.answers
        absent = [key for key in self._named.counted if isinstance(answers.get(key), Absent)]
        # Once more: earlier messages of the user have been recorded in the meantime.
        return await self._key_check.unknown(self._user_id, absent)

    async def _look_up(self) -> None:
        # One look-up for both, so that a message costs no more requests than its card.
        if await self._key_check.unknown(self._user_id, self._named.counted):
            self.known = await self._key_check.look_up([*self._named.shown, *self._named.counted])


class KeyCheck:
    """Checks the keys of private messages, and of what users do in chats without the bot."""

    def __init__(
        self,
        look_ups: LookUps,
        engagements: Engagements,
        allowed: Collection[str],
        is_behind: Callable[[], bool],
    ) -> None:
        """Ask Linear through `look_ups`, unless the ledger knows a key or `is_behind`.

        `allowed` are the teams whose issues may be seen; without any, public ones.
        """
        self._look_ups = look_ups
        self._engagements = engagements
        self._allowed = allowed
        self._is_behind = is_behind
        self.checking = Counter[str]()
        """The checks under way, by user."""

    def end(self, user_id: str) -> None:
        """Note the end of a check of a user."""
        self.checking[user_id] -= 1
        if not self.checking[user_id]:
            del self.checking[user_id]

    def begin(self, found: ParsedUpdate) -> Check | None:
        """Begin to check the keys of an update; None if all of them are recorded anyway.

        That is so in groups, for issues that Linear has shown, while the ledger lacks what waits in
        the spool, and where `CHECKS_AT_ONCE` of the user are under way.
        """
        sender = found.sender
        if sender is None or sender.user_id is None or sender.chat_kind is not ChatKind.PRIVATE:
            return None
        named = _named_in(found)
        if self._is_behind() or all(map(self._look_ups.has_found, named.counted)):
            return None
        user_id = str(sender.user_id)
        return Check(self, user_id, named) if self.checking[user_id] < CHECKS_AT_ONCE else None

    async def look_up(self, keys: Sequence[str]) -> Known:
        """The answers of Linear for `keys`, in the time that a card waits for them."""
        return await self._look_ups.known(Asked(CARDS, tuple(keys)))

    async def unknown(self, user_id: str, keys: Collection[str]) -> frozenset[str]:
        """The keys that the ledger does not know.

        None if it cannot be read in time, or lacks what waits in the spool.
        """
        if not keys or self._is_behind():
            return frozenset()
        try:
            async with asyncio.timeout(LEDGER_SECONDS):
                return await asyncio.to_thread(self._unknown, user_id, keys)
        except Exception as error:  # noqa: BLE001 - nothing may prevent recording (R13)
            _log.warning("keys not checked", extra={"error": type(error).__name__})
            return frozenset()

    def _unknown(self, user_id: str, keys: Iterable[str]) -> frozenset[str]:
        return frozenset(
            key for key in keys if is_identifier(key) and not self._is_known(user_id, key)
        )

    def _is_known(self, user_id: str, key: str) -> bool:
        """Whether the user has touched the issue, or it was observed and may be shown.

        Touches of other users do not count: they would tell the user what others talk about.
        """
        if self._engagements.questions.ask(user_id, key).engagement.count:
            return True
        issue = self._engagements.issues.issue(key)
        return issue is not None and may_be_shown(team_of(issue.now), self._allowed)


def _named_in(found: ParsedUpdate) -> Named:
    if found.pressed is not None:
        opened = (found.pressed.issue,) if found.pressed.command == CARDS else ()
        return Named(opened, opened)
    issues = found.inline.issues if isinstance(found.inline, GuestMessage) else found.issues
    return Named(found.counted[:ISSUES_OF_A_MESSAGE], issues[:ISSUES_OF_A_MESSAGE])
