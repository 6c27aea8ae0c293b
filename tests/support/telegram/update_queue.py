"""The updates that wait for the bot, handed out and forgotten as `getUpdates` has it."""

from collections.abc import Collection
from itertools import takewhile
from typing import Any, NamedTuple

import msgspec

Update = dict[str, Any]

NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""The kinds of update that come only when a bot asks for them by name."""

FIRST_UPDATE_ID = 500_000_001
LARGEST_BATCH = 100
FUTURE = 10


class Pending(NamedTuple):
    """An update that was not confirmed yet, encoded once; `chat` orders what a webhook gets."""

    update_id: int
    chat: int
    body: bytes


def kind_of(update: Update) -> str:
    """Which of its optional fields an update has."""
    return next((name for name in update if name != "update_id"), "")


class UpdateQueue:
    """The waiting updates, in order. Callers hold the server's lock."""

    def __init__(self) -> None:
        """Begin with nothing waiting."""
        self.next_id = FIRST_UPDATE_ID
        self.waiting: dict[int, Pending] = {}
        self.allowed: frozenset[str] | None = None
        self.acknowledged: list[int] = []
        self.delivered: dict[int, int] = {}

    def take_id(self) -> int:
        """The id of the next update."""
        self.next_id += 1
        return self.next_id - 1

    def jump(self, next_id: int) -> None:
        """Go on with other update ids, as after a week without updates."""
        if self.waiting:
            raise ValueError("ids jump only while nothing waits")
        self.next_id = next_id

    def add(self, update: Update, chat: int) -> bool:
        """Let an update wait, and say so; the kinds that the bot did not ask for are dropped."""
        if not self.wanted(kind_of(update)):
            return False
        update_id = update["update_id"]
        self.waiting[update_id] = Pending(update_id, chat, msgspec.json.encode(update))
        return True

    def wanted(self, kind: str) -> bool:
        """Whether the bot asked for such updates; without a word from it, Telegram's default."""
        if self.allowed is None:
            return kind not in NOT_BY_DEFAULT
        return kind in self.allowed or not kind

    def allow(self, kinds: Collection[str] | None) -> None:
        """Ask for these kinds from now on: nothing given keeps the setting, none resets it."""
        if kinds is not None:
            self.allowed = frozenset(kinds) or None

    def confirm(self, offset: int) -> None:
        """Forget all updates before the offset; a negative one counts from the end.

        An offset far in the future has no effect: update ids start again, perhaps lower, after a
        week without updates.
        """
        if offset < 0:
            ids = list(self.waiting)
            offset = ids[offset] if len(ids) >= -offset else (ids[0] if ids else 0)
        if offset > self.next_id + FUTURE:
            return
        for update_id in list(takewhile(lambda known: known < offset, self.waiting)):
            self.forget(update_id)

    def forget(self, update_id: int) -> None:
        """Take an update as received."""
        if self.waiting.pop(update_id, None):
            self.acknowledged.append(update_id)

    def forget_all(self) -> None:
        """Drop the waiting updates, which were not received."""
        self.waiting.clear()

    def batch(self, limit: int) -> list[bytes]:
        """The oldest ones, encoded; they stay until they are confirmed."""
        chosen: list[bytes] = []
        for pending in self.waiting.values():
            if len(chosen) == limit:
                break
            chosen.append(pending.body)
            self.count(pending.update_id)
        return chosen

    def count(self, update_id: int) -> None:
        """Note that an update was handed out (once more)."""
        self.delivered[update_id] = self.delivered.get(update_id, 0) + 1
