"""What counts: which interactions a message or a press is, and which none."""

import datetime as dt
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bot.commands import COMMANDS, HIDE, OPT_IN, OPT_OUT, UNHIDE
from ledger.instants import instant_of
from ledger.interaction import (
    FOREVER,
    Hiding,
    Interaction,
    Kind,
    OptOut,
    hiding_of,
    interaction_of,
)
from ledger.message_keys import hiding_key, press_key, private_key, supergroup_key
from ledger.source_keys import SourceKey
from ledger.text import UserId, context_of

if TYPE_CHECKING:
    from bot.issue_keys import IssueKeys

ISSUES_OF_A_MESSAGE = 20
"""The most that one message can touch; a pasted list is no interest in each of its lines."""

CARD = "card:"
"""What the data of a button begins with that opens the card of the issue behind it."""

HIDE_BUTTON, UNHIDE_BUTTON, LISTED_BUTTON = "hide:", "unhide:", "listed:"
"""The same for buttons that hide an issue or show it again: below cards, and below a list."""


_HIDING_BUTTONS = {HIDE_BUTTON: HIDE, UNHIDE_BUTTON: UNHIDE, LISTED_BUTTON: UNHIDE}


class ChatKind(Enum):
    """Where people talk, as far as message ids and manners differ."""

    PRIVATE = "private"
    GROUP = "group"
    SUPERGROUP = "supergroup"
    CHANNEL = "channel"


class Message(msgspec.Struct, frozen=True):
    """A message as far as it matters here.

    `sender_id` is None for whoever is no person: bots, channels, groups, Telegram itself. `links`
    are addresses that stand behind the text. `command` is the name of the command that the message
    begins with, without a slash, unless it is for another bot. `addressed` says that the message
    names the bot or replies to it.
    """

    bot_id: int
    chat_id: int
    chat_kind: ChatKind
    message_id: int
    sender_id: int | None
    text: str
    sent_at: dt.datetime
    links: tuple[str, ...] = ()
    command: str | None = None
    addressed: bool = False
    forwarded: bool = False
    edited: bool = False

    @property
    def is_for_the_bot(self) -> bool:
        """Tell whether the bot is asked, rather than overhearing."""
        return self.chat_kind is ChatKind.PRIVATE or self.addressed or self.command is not None


class Press(msgspec.Struct, frozen=True):
    """A press on a button of the bot's; `data` may be forged by whoever pressed."""

    bot_id: int
    callback_query_id: str
    presser_id: int
    data: str
    pressed_at: dt.datetime
    chat_id: int | None = None


class Pressed(NamedTuple):
    """The command that a button stands for, and whether it is below the list of hidden issues."""

    command: str
    issue: str
    is_listed: bool = False


class Sender(msgspec.Struct, frozen=True):
    """Who said something and where, which decides whether the bot listens.

    `user_id` is None if the sender is not a person.
    """

    chat_id: int
    chat_kind: ChatKind
    user_id: int | None


class Migration(msgspec.Struct, frozen=True):
    """A basic group became a supergroup, which is the same place under another id."""

    old_chat_id: int
    new_chat_id: int


Entry = Interaction | Hiding | OptOut | Migration


class Heard(msgspec.Struct, frozen=True):
    """What is to be recorded, in its order, and how many issues beyond the limit are not."""

    entries: tuple[Entry, ...] = ()
    left_out: int = 0


NOTHING = Heard()


def heard_in(message: Message, keys: "IssueKeys") -> Heard:
    """Return what `message` leaves in the ledger (R1, R2); an edit is the same message again.

    Raises InvalidInteractionError where Telegram says what R1 refuses, such as a date before 2000.
    """
    if message.sender_id is None or message.forwarded or message.chat_kind is ChatKind.CHANNEL:
        return NOTHING
    if message.command in {OPT_OUT, OPT_IN} and not message.edited:
        # What somebody wants is what they said last, and an edit is silent: it answers nothing.
        return Heard((_opt_out(message, message.sender_id),))
    if message.command in COMMANDS:
        # Asking what the ledger thinks of an issue is no interest in the issue: it would move the
        # number that was asked for.
        return NOTHING
    issues = keys.found_in("\n".join((message.text, *message.links)))
    counted = issues[:ISSUES_OF_A_MESSAGE]
    context = context_of(message.text) if counted else None  # once: a long text takes its time
    entries = tuple(_interaction(message, message.sender_id, issue, context) for issue in counted)
    return Heard(entries, len(issues) - len(counted))


def hiding_in(message: Message, keys: "IssueKeys", now: dt.datetime) -> Heard:
    """Return the hiding that `message` asks for by a command; an edit asks for nothing.

    It is dated `now`, as a press is: within one of Telegram's whole seconds an issue can be hidden
    and shown again.
    """
    _, *arguments = message.text.split()
    issue = keys.meant_by(arguments[0]) if arguments else None
    if issue is None or message.sender_id is None or message.forwarded or message.edited:
        return NOTHING
    hiding = hiding_of(
        str(message.sender_id),
        issue,
        hidden=message.command == HIDE,
        occurred_at=now,
        source_key=hiding_key(_source_key(message, issue)),
    )
    return Heard((hiding,))


def done_by(press: Press, keys: "IssueKeys") -> Heard:
    """Return the view of a card, or the hiding, that a press on a button is."""
    pressed = pressed_in(press.data, keys)
    if pressed is not None:
        return Heard((_hiding(press, pressed),))
    issue = card_of(press.data, keys)
    return NOTHING if issue is None else Heard((_view(press, issue),))


def _view(press: Press, issue: str) -> Interaction:
    return interaction_of(
        str(press.presser_id),
        issue,
        Kind.VIEW.label,
        occurred_at=press.pressed_at,
        chat_id=None if press.chat_id is None else str(press.chat_id),
        source_key=press_key(press.bot_id, press.callback_query_id),
    )


def _hiding(press: Press, pressed: Pressed) -> Hiding:
    return hiding_of(
        str(press.presser_id),
        pressed.issue,
        hidden=pressed.command == HIDE,
        occurred_at=press.pressed_at,
        source_key=press_key(press.bot_id, press.callback_query_id),
    )


def card_of(data: str, keys: "IssueKeys") -> str | None:
    """Return the issue whose card a button's data opens, or None."""
    key = data.removeprefix(CARD)
    # A button of ours carries the key and nothing else.
    return key if data.startswith(CARD) and keys.named_by(key) == key else None


def pressed_in(data: str, keys: "IssueKeys") -> Pressed | None:
    """Return what a button's data asks for about hiding an issue, or None."""
    prefix, colon, issue = data.partition(":")
    command = _HIDING_BUTTONS.get(prefix + colon)
    if command is None or keys.meant_by(issue) != issue:
        return None
    return Pressed(command, issue, is_listed=prefix + colon == LISTED_BUTTON)


def _interaction(message: Message, sender_id: int, issue: str, context: str | None) -> Interaction:
    kind = Kind.QUERY if message.is_for_the_bot else Kind.MENTION
    return interaction_of(
        str(sender_id),
        issue,
        kind.label,
        occurred_at=message.sent_at,
        context=context,
        chat_id=str(message.chat_id),
        source_key=_source_key(message, issue),
    )


def _source_key(message: Message, issue: str) -> SourceKey:
    at = instant_of(message.sent_at)
    if message.chat_kind is ChatKind.SUPERGROUP:
        return supergroup_key(message.chat_id, message.message_id, issue, at)
    return private_key(message.bot_id, message.chat_id, message.message_id, issue, at)


def _opt_out(message: Message, sender_id: int) -> OptOut:
    before = FOREVER if message.command == OPT_OUT else instant_of(message.sent_at)
    return OptOut(UserId(str(sender_id)), before)
