"""Inline queries, their chosen results, and guest messages: from chats that the bot is not in."""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from bot.listening.classification import NOTHING, Heard, Message
from ledger.commands import Interaction, Kind, interaction_of
from ledger.idempotency import SourceKey

if TYPE_CHECKING:
    from bot.listening.issue_keys import IssueKeys

ISSUES_OF_A_QUERY = 5
"""The most issues that an inline query or a guest message is answered about."""

_DIGITS_OF_QUERY = 13
"""With these of a query's id and the longest issue key, a result's id has its limit of 64 bytes."""


class InlineQuery(msgspec.Struct, frozen=True):
    """A query that a user types after the bot's name, and the issues that it names."""

    query_id: str
    user_id: int
    issues: tuple[str, ...]


class Chosen(msgspec.Struct, frozen=True):
    """A result of an inline query that a user posted."""

    bot_id: int
    user_id: int
    query: str
    result_id: str
    inline_message_id: str | None
    """The posted message, if it has buttons."""
    chosen_at: dt.datetime


class GuestMessage(msgspec.Struct, frozen=True):
    """A message to the bot in a chat of which it is no member.

    The chat may have the id of another one that the bot is in.
    """

    query_id: str
    message: Message
    issues: tuple[str, ...]

    @property
    def user_id(self) -> int | None:
        """The sender; None if that is not a person in their own words."""
        return self.message.sender_id if self.message.is_by_a_person else None


Inline = InlineQuery | Chosen | GuestMessage


def issues_of_query(text: str, keys: "IssueKeys") -> tuple[str, ...]:
    """The issues that an inline query is answered about, found as in messages."""
    return tuple(keys.named_in(text)[:ISSUES_OF_A_QUERY])


def result_id_of(query_id: str, issue: str) -> str:
    """The id of the result for `issue`, by which it is recognized when it is chosen."""
    return f"{issue}:{query_id[-_DIGITS_OF_QUERY:]}"


def heard_inline(inline: Inline, counted: Sequence[str]) -> Heard:
    """Return the mention that a chosen result is, or the queries in a guest message.

    `counted` are the issues in it that count.
    """
    match inline:
        case Chosen():
            return Heard(tuple(_mention(inline, each) for each in counted))
        case GuestMessage() if inline.user_id is not None:
            return Heard(tuple(_query(inline, inline.user_id, each) for each in counted))
    return NOTHING


def counted_inline(inline: Inline, keys: "IssueKeys") -> tuple[str, ...]:
    """The issues that count in a chosen result or a guest message.

    In an inline query none does: one comes with each letter that is typed.
    """
    match inline:
        case Chosen():
            named = (inline.result_id.rpartition(":")[0],)
            return tuple(each for each in _counted(named, keys) if _is_of_query(each, inline, keys))
        case GuestMessage():
            return _counted(inline.issues, keys)
    return ()


def _counted(named: Sequence[str], keys: "IssueKeys") -> tuple[str, ...]:
    return tuple(filter(keys.counts, named))


def _is_of_query(issue: str, chosen: Chosen, keys: "IssueKeys") -> bool:
    return issue in issues_of_query(chosen.query, keys)


def _mention(chosen: Chosen, issue: str) -> Interaction:
    return interaction_of(
        str(chosen.user_id),
        issue,
        Kind.MENTION.label,
        occurred_at=chosen.chosen_at,
        source_key=chosen_key(chosen),
    )


def _query(guest: GuestMessage, user_id: int, issue: str) -> Interaction:
    message = guest.message
    return interaction_of(
        str(user_id),
        issue,
        Kind.QUERY.label,
        occurred_at=message.sent_at,
        source_key=guest_key(message.bot_id, guest.query_id, issue),
    )


def chosen_key(chosen: Chosen) -> SourceKey:
    """The key of a chosen result, which has no date; it contains part of the query's id."""
    parts = (chosen.bot_id, "chosen", chosen.user_id, chosen.inline_message_id, chosen.result_id)
    return SourceKey(":".join("" if part is None else str(part) for part in parts))


def guest_key(bot_id: int, guest_query_id: str, issue_id: str) -> SourceKey:
    """The key of an issue in a guest message, whose chat and message ids may be those of others."""
    return SourceKey(f"{bot_id}:guest:{guest_query_id}:{issue_id}")
