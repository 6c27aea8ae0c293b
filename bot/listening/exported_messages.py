"""Messages in the export of a chat, classified as the bot classifies them live."""

import datetime as dt
import re
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from bot.listening.bot_commands import asked_in
from bot.listening.classification import ChatKind, Message, export_key, heard_in, issues_in
from ledger.commands import Interaction
from ledger.errors import InvalidInteractionError
from ledger.instants import Instant, instant_of

if TYPE_CHECKING:
    from bot.listening.issue_keys import IssueKeys


# A message of a chat's export, with ids as in Telegram's Bot API.


class ChatType(Enum):
    """The kinds of chats between people that an export distinguishes."""

    SUPERGROUP = "supergroup"
    GROUP = "group"
    """A basic group, also one that has become a supergroup since, up to then."""
    PERSONAL = "personal"
    """A private chat of two people, which no bot sees."""
    WITH_BOT = "with bot"
    """A private chat with a bot, which has the id of the bot here."""


class ExportedMessage(msgspec.Struct, frozen=True, gc=False):
    """A message in an export.

    `place` locates it, as in "message 17". `sender_id` is None for channels and groups; an export
    does not distinguish bots from people. `names` are the words that mention users, `named_ids` the
    users behind such words. `flaw` says why the message cannot be recorded, or is None; with a
    flaw, `sender_id` and `sent_at` may be missing. `is_unread` says that the flaw is unreadable
    text.
    """

    place: str
    chat_type: ChatType
    chat_id: int
    message_id: int
    sender_id: int | None
    sent_at: dt.datetime | None
    sender_name: str | None = None
    text: str = ""
    links: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    named_ids: tuple[int, ...] = ()
    reply_to_id: int | None = None
    forwarded: bool = False
    via_bot: bool = False
    is_unread: bool = False
    opens_topic: bool = False
    flaw: str | None = None


# Classification by the rules of live messages.

TELEGRAMS_OWN = frozenset({777000, 136817688, 1087968824})
"""User ids under which Telegram itself, channels and anonymous group admins write."""

_KINDS = {
    ChatType.SUPERGROUP: ChatKind.SUPERGROUP,
    ChatType.GROUP: ChatKind.GROUP,
    ChatType.PERSONAL: ChatKind.GROUP,  # between two people: no bot hears it live
    ChatType.WITH_BOT: ChatKind.PRIVATE,
}

_SOMEBODY, _SOMETIME = 1, dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_BOTS_COMMAND = re.compile(r"/\w+@\w+", re.ASCII)
_NO_BOT_NAME = "it is a command that names a bot: give this bot's username with --bot-name"


class Bots(msgspec.Struct, frozen=True):
    """The ids of bots, which an export does not mark as such.

    `ours` is the id of the bot that the ledger belongs to and `name` its username without the @,
    if known; `others` are the ids of other bots.
    """

    ours: int
    name: str | None = None
    others: frozenset[int] = frozenset()


class Listener:
    """Classifies the messages of an export, which must come chat by chat and in order."""

    def __init__(self, bots: Bots, keys: "IssueKeys") -> None:
        """Start before the first message; `keys` finds the issues."""
        self._bots = bots
        self._keys = keys
        self._chat_id: int | None = None
        self._by_our_bot = MessageIds()
        self._second: Instant | None = None
        self._repeated: Counter[tuple[str, str]] = Counter()

    def hear(self, exported: ExportedMessage) -> tuple[Interaction, ...]:
        """Return the interactions of the message, classified by `heard_in`.

        In a supergroup they equal those of the live message, down to the source key. In other chats
        they have an export key and no place. Opt-outs and opt-ins in an export are ignored. Raises
        InvalidInteractionError if the message has interactions that cannot be recorded.
        """
        if exported.chat_id != self._chat_id:
            self._chat_id, self._by_our_bot = exported.chat_id, MessageIds()
        if exported.sender_id == self._bots.ours:
            if not exported.opens_topic:  # every message of the topic is a reply to it
                self._by_our_bot.add(exported.message_id)
            return ()
        if exported.chat_type is ChatType.WITH_BOT and exported.chat_id != self._bots.ours:
            return ()
        if not (exported.text or exported.links or exported.is_unread):
            return ()
        sent_at = exported.sent_at or _SOMETIME  # if it is missing, `_check` refuses the message
        message = self._message(exported, sent_at)
        if exported.is_unread and message.sender_id is not None and not message.forwarded:
            self._check(exported)  # it may name issues
        counted = filter(self._keys.counts, issues_in(message, self._keys))
        heard = heard_in(message, list(counted))
        found = tuple(each for each in heard.entries if isinstance(each, Interaction))
        if found:
            self._check(exported)
        if exported.chat_type is ChatType.SUPERGROUP:
            return found
        return tuple(self._unmatched(each, instant_of(sent_at)) for each in found)

    def _message(self, exported: ExportedMessage, sent_at: dt.datetime) -> Message:
        return Message(
            bot_id=self._bots.ours,
            chat_id=exported.chat_id,
            chat_kind=_KINDS[exported.chat_type],
            message_id=exported.message_id,
            sender_id=self._person_behind(exported),
            text=exported.text,
            sent_at=sent_at,
            links=exported.links,
            asked=asked_in(exported.text, self._bots.name or ""),
            addressed=self._is_addressed(exported),
            forwarded=exported.forwarded,
        )

    def _person_behind(self, exported: ExportedMessage) -> int | None:
        if exported.via_bot:
            return None
        if exported.sender_id is None:
            return None if exported.flaw is None else _SOMEBODY
        is_bot = exported.sender_id in TELEGRAMS_OWN or exported.sender_id in self._bots.others
        return None if is_bot else exported.sender_id

    def _is_addressed(self, exported: ExportedMessage) -> bool:
        named = self._bots.name is not None and f"@{self._bots.name}".lower() in (
            name.lower() for name in exported.names
        )
        return (
            named
            or self._bots.ours in exported.named_ids
            or (exported.reply_to_id is not None and exported.reply_to_id in self._by_our_bot)
        )

    def _check(self, exported: ExportedMessage) -> None:
        flaw = exported.flaw
        if flaw is None and self._bots.name is None and _BOTS_COMMAND.match(exported.text.lstrip()):
            flaw = _NO_BOT_NAME
        if flaw is not None:
            raise InvalidInteractionError("message", flaw)

    def _unmatched(self, interaction: Interaction, sent_at: Instant) -> Interaction:
        """Return the interaction without a place, under the key that every export gives it."""
        user, issue = interaction.user_id, interaction.issue_id
        key = export_key(user, issue, sent_at, self._ordinal(user, issue, sent_at))
        return replace(interaction, chat_id=None, source_key=key)

    def _ordinal(self, user_id: str, issue_id: str, sent_at: Instant) -> int:
        """How many times the user named the issue earlier in this second."""
        if sent_at != self._second:
            self._second, self._repeated = sent_at, Counter()
        self._repeated[user_id, issue_id] += 1
        return self._repeated[user_id, issue_id] - 1


class MessageIds:
    """A set of message ids that takes one bit per id where they are dense."""

    def __init__(self) -> None:
        """Start empty."""
        self._blocks: dict[int, int] = {}

    def add(self, message_id: int) -> None:
        """Add an id."""
        block = message_id >> 8
        self._blocks[block] = self._blocks.get(block, 0) | 1 << (message_id & 255)

    def __contains__(self, message_id: int) -> bool:
        """Whether the id was added."""
        return bool(self._blocks.get(message_id >> 8, 0) >> (message_id & 255) & 1)


def live_chat_of(exported: ExportedMessage) -> str | None:
    """Return the chat in which the bot may have recorded the same message live under another key.

    None means that the keys match live messages, or that the bot hears no live messages there.
    """
    if exported.chat_type is ChatType.WITH_BOT and exported.sender_id is not None:
        return str(exported.sender_id)
    return str(exported.chat_id) if exported.chat_type is ChatType.GROUP else None


def overlaps(interaction: Interaction, span: tuple[Instant, Instant] | None) -> bool:
    """Whether the interaction lies within the span of its user's live interactions."""
    if span is None or interaction.occurred_at is None:
        return False
    return span[0] <= interaction.occurred_at <= span[1]
