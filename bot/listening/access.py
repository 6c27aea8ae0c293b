"""The gate decides in which chats the bot listens, and with whom it talks in private."""

from collections.abc import Callable, Mapping

from bot.listening.classification import ChatKind, Sender

REMEMBERED = 10_000
"""The most refused chats that are remembered; then all are forgotten, and may be notified again."""

Knows = Callable[[str], bool]
"""Returns whether the ledger knows a user; raises LedgerError if it cannot be read."""


class Gate:
    """Limits the bot to the configured chats, if any, and to the people who write there."""

    def __init__(self, chats: frozenset[int], admins: frozenset[int], knows: Knows) -> None:
        """Listen in `chats`, or everywhere if it is empty."""
        self._chats = chats
        self._admins = admins
        self._knows = knows
        self._migrated: dict[int, int] = {}
        self._told: set[int] = set()

    def lets_in(self, sender: Sender) -> bool:
        """Return whether the bot listens to this user in this chat.

        Raises LedgerError if the ledger must be asked and cannot be read.
        """
        return self.is_listed(sender) or self.is_known(sender)

    def is_listed(self, sender: Sender) -> bool:
        """Whether the settings alone admit the sender; the ledger is not asked."""
        if not self._chats or sender.chat_id in self._chats:
            return True
        if sender.chat_kind is ChatKind.PRIVATE:
            return sender.user_id in self._admins
        old = self._migrated.get(sender.chat_id)
        return old is not None and old in self._chats

    def is_known(self, sender: Sender) -> bool:
        """Whether the sender writes in private and the ledger knows them; raises LedgerError."""
        is_private = sender.chat_kind is ChatKind.PRIVATE and sender.user_id is not None
        return is_private and self._knows(str(sender.user_id))

    def may_be_added_by(self, user_id: int, chat_id: int) -> bool:
        """Whether this user may add the bot to this chat."""
        if self._chats:
            return chat_id in self._chats or self._migrated.get(chat_id) in self._chats
        return not self._admins or user_id in self._admins

    def migrate(self, new_of_old: Mapping[int, int]) -> None:
        """Admit the supergroups that replace admitted groups."""
        self._migrated |= {new: old for old, new in new_of_old.items()}

    def tells(self, chat_id: int) -> bool:
        """Whether to notify a refused chat, which is done only once."""
        if chat_id in self._told:
            return False
        if len(self._told) == REMEMBERED:
            self._told.clear()
        self._told.add(chat_id)
        return True
