"""Classification: the interactions that a message or a press amounts to, if any."""

import datetime as dt
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bot.listening.bot_commands import CARDS, COMMANDS, HIDE, OPT_IN, OPT_OUT, UNHIDE, Asked
from ledger.commands import FOREVER, Hiding, Interaction, Kind, OptOut, hiding_of, interaction_of
from ledger.idempotency import SourceKey
from ledger.instants import Instant, instant_of
from ledger.validation import UserId, context_of

if TYPE_CHECKING:
    from bot.listening.issue_keys import IssueKeys


# Source keys of Telegram messages: the same when live, delivered again, edited or exported.


def supergroup_key(chat_id: int, message_id: int, issue_id: str, sent_at: Instant) -> SourceKey:
    """The key of an issue in a supergroup's message, whose id is the same for all members."""
    return SourceKey(f"{chat_id}:{message_id}:{issue_id}", sent_at)


def private_key(
    bot_id: int, chat_id: int, message_id: int, issue_id: str, sent_at: Instant
) -> SourceKey:
    """The key of an issue in a message of a private chat or a basic group.

    Message ids there are per account, so another bot counts from the start.
    """
    return SourceKey(f"{bot_id}:{chat_id}:{message_id}:{issue_id}", sent_at)


def hiding_key(of_message: SourceKey) -> SourceKey:
    """The key of a command that hides an issue, derived from the key of the issue in its message.

    It must differ from that one, because an edit can turn the command into a message that mentions
    the issue.
    """
    return SourceKey(f"hiding:{of_message.text}", of_message.dated_at)


def press_key(bot_id: int, callback_query_id: str) -> SourceKey:
    """The key of a press on a button, which is for one issue and has no date."""
    return SourceKey(f"{bot_id}:callback:{callback_query_id}")


def export_key(user_id: str, issue_id: str, sent_at: Instant, ordinal: int) -> SourceKey:
    """The key of an issue in an exported message of a private chat or a basic group.

    Message ids there are per account, and exports identify the chat differently: a private chat by
    its other member, a group by another id once it has become a supergroup. So the key consists of
    the user, the issue, the second and the ordinal within it: exports of one chat by two members
    count once.
    """
    return SourceKey(f"export:{user_id}:{sent_at}:{issue_id}:{ordinal}", sent_at)


# Classification of messages and button presses (R1, R2).

ISSUES_OF_A_MESSAGE = 20
"""The most issues that one message can touch; pasting a list shows no interest in each line."""

CARD = "card:"
"""Data prefix of buttons that open an issue's card; the issue key follows."""

WHY = "why:"
"""Data prefix of buttons that explain the score of an issue; a press on one is not recorded."""

HIDE_BUTTON, UNHIDE_BUTTON, LISTED_BUTTON = "hide:", "unhide:", "listed:"
"""Data prefixes of buttons that hide an issue or show it again: below cards, and below a list."""


_BUTTONS = {CARD: CARDS, HIDE_BUTTON: HIDE, UNHIDE_BUTTON: UNHIDE, LISTED_BUTTON: UNHIDE}


class ChatKind(Enum):
    """Kinds of chats that differ in their message ids or in what counts."""

    PRIVATE = "private"
    GROUP = "group"
    SUPERGROUP = "supergroup"
    CHANNEL = "channel"


class Message(msgspec.Struct, frozen=True):
    """The parts of a message that decide what it counts as.

    `sender_id` is None unless a person wrote it: not for bots, channels, groups and Telegram
    itself. `links` are the targets of text links. `asked` is the command that the message begins
    with, unless it is for another bot. `addressed` means that the message names the bot or replies
    to it.
    """

    bot_id: int
    chat_id: int
    chat_kind: ChatKind
    message_id: int
    sender_id: int | None
    text: str
    sent_at: dt.datetime
    links: tuple[str, ...] = ()
    asked: Asked | None = None
    addressed: bool = False
    forwarded: bool = False
    edited: bool = False

    @property
    def command(self) -> str | None:
        """The name of the command that the message begins with, without its slash."""
        return None if self.asked is None else self.asked.name

    @property
    def is_by_a_person(self) -> bool:
        """Whether a person wrote it, in their own words."""
        is_own = self.sender_id is not None and not self.forwarded
        return is_own and self.chat_kind is not ChatKind.CHANNEL

    @property
    def is_in_a_group(self) -> bool:
        """Whether it is in a group of either kind."""
        return self.chat_kind in {ChatKind.GROUP, ChatKind.SUPERGROUP}

    @property
    def is_for_the_bot(self) -> bool:
        """Whether the message is for the bot, rather than overheard."""
        return self.chat_kind is ChatKind.PRIVATE or self.addressed or self.command is not None


class Press(msgspec.Struct, frozen=True):
    """A press on one of the bot's buttons; a malicious client can forge `data`."""

    bot_id: int
    callback_query_id: str
    presser_id: int
    data: str
    pressed_at: dt.datetime
    chat_id: int | None = None


class Pressed(NamedTuple):
    """The meaning of a button: a command, or CARDS, and an issue.

    `is_listed` is whether the button is below the list of hidden issues.
    """

    command: str
    issue: str
    is_listed: bool = False


class Sender(msgspec.Struct, frozen=True):
    """A sender and their chat, by which the gate decides whether the bot listens.

    `user_id` is None if the sender is not a person.
    """

    chat_id: int
    chat_kind: ChatKind
    user_id: int | None


class Migration(msgspec.Struct, frozen=True):
    """A basic group's upgrade to a supergroup: the same place under another chat id."""

    old_chat_id: int
    new_chat_id: int


Entry = Interaction | Hiding | OptOut | Migration


class Heard(msgspec.Struct, frozen=True):
    """The interactions to record, in order, and the number of issues dropped beyond the limit."""

    entries: tuple[Entry, ...] = ()
    left_out: int = 0


NOTHING = Heard()


def issues_in(message: Message, keys: "IssueKeys") -> Sequence[str]:
    """Return the issues that a person names in `message`, in words or links, in their order.

    Those in the bot's commands are left out. Asking for a score does not count as interest in the
    issue: it would change that score. Keys of unknown teams are among them, and do not count.
    """
    if not message.is_by_a_person or message.command in COMMANDS:
        return ()
    return keys.named_in("\n".join((message.text, *message.links)))


def heard_in(message: Message, issues: Sequence[str]) -> Heard:
    """Return the entries that `message`, which names `issues`, adds to the ledger (R1, R2).

    An edit has the same source keys. Raises InvalidInteractionError for values that R1 refuses,
    such as a date before 2000.
    """
    if message.sender_id is None or not message.is_by_a_person:
        return NOTHING
    if message.command in {OPT_OUT, OPT_IN} and not message.edited:
        # An edit gets no answer, so it must not change an opt-out.
        return Heard((_opt_out(message, message.sender_id),))
    counted = issues[:ISSUES_OF_A_MESSAGE]
    context = context_of(message.text) if counted else None  # once: cutting a long text is slow
    entries = tuple(_interaction(message, message.sender_id, issue, context) for issue in counted)
    return Heard(entries, len(issues) - len(counted))


def hiding_in(message: Message, asked: Asked | None, now: dt.datetime) -> Heard:
    """Return the hiding that `message` requests by a command, if any; `asked` is its question.

    It is dated `now`, as a press is: Telegram's dates are whole seconds, and an issue can be hidden
    and shown again within one.
    """
    if asked is None or asked.issue is None or message.command != asked.name:
        return NOTHING
    hiding = hiding_of(
        str(message.sender_id),
        asked.issue,
        hidden=asked.name == HIDE,
        occurred_at=now,
        source_key=hiding_key(_source_key(message, asked.issue)),
    )
    return Heard((hiding,))


def done_by(press: Press, pressed: Pressed | None) -> Heard:
    """Return the view or the hiding that `press` amounts to, by what its button stands for."""
    if pressed is None:
        return NOTHING
    if pressed.command == CARDS:
        return Heard((_view(press, pressed.issue),))
    return Heard((_hiding(press, pressed),))


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


def pressed_in(data: str, keys: "IssueKeys") -> Pressed | None:
    """Return what the button with `data` stands for; None if it is about no issue."""
    prefix, colon, issue = data.partition(":")
    command = _BUTTONS.get(prefix + colon)
    if command is None:
        return None
    named = keys.named_by(issue) if command == CARDS else keys.meant_by(issue)
    if named != issue:  # the bot's own buttons carry the key and nothing else
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
