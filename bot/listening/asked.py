"""Questions: what a message asks the bot, by a command or by naming issues."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bot.listening.bot_commands import (
    CARDS,
    COMMANDS,
    HIDE,
    HINT,
    UNHIDE,
    Asked,
    asked_by_link,
    without_courtesies,
)
from bot.listening.classification import ISSUES_OF_A_MESSAGE, Message

if TYPE_CHECKING:
    from bot.listening.issue_keys import IssueKeys


def question_in(message: Message, issues: Sequence[str], keys: "IssueKeys") -> Asked | None:
    """Return what `message`, which names `issues`, asks the bot; None if it asks nothing.

    Forwarded messages are addressed to someone else. Edits are recorded, but a question is answered
    once.
    """
    if not message.is_by_a_person or message.edited:
        return None
    if message.asked is None:
        return _cards(message, issues)
    asked = _by_link(message.asked)
    if message.is_in_a_group and not asked.by_name and asked.name not in COMMANDS:
        return None
    return replace(asked, issue=_issue_meant(asked, keys))


def _cards(message: Message, issues: Sequence[str]) -> Asked | None:
    if not message.is_for_the_bot or not message.text:
        return None
    return Asked(CARDS, tuple(issues[:ISSUES_OF_A_MESSAGE])) if issues else Asked(HINT)


def _by_link(asked: Asked) -> Asked:
    """The command that a link brought into the private chat, instead of the /start around it."""
    if asked.name != "start" or not asked.arguments:
        return asked
    return asked_by_link(asked.arguments[0]) or asked


def _issue_meant(asked: Asked, keys: "IssueKeys") -> str | None:
    arguments = without_courtesies(asked.arguments) if asked.name in {HIDE, UNHIDE} else ()
    return keys.meant_by(arguments[0]) if arguments else None
