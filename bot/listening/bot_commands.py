"""The bot's commands: names, arguments, permissions, and who sees the answers."""

import re
from collections.abc import Sequence
from enum import Enum

import msgspec

from bot.language import words


class Audience(Enum):
    """The visibility of the answer to a command that was given in a group."""

    EVERYONE = "everyone"
    ASKER = "asker"
    """Answered in private; the group sees only a note of that."""
    PRIVATE_CHAT = "private chat"
    """Refused in a group."""


class Command(msgspec.Struct, frozen=True):
    """A command; `arguments` is their syntax, as shown in /help and menus."""

    name: str
    audience: Audience
    arguments: str = ""
    for_admins: bool = False

    @property
    def words_at_most(self) -> int | None:
        """The most words that may follow; None for any number."""
        return {"": 0, "ISSUE": 1, "[ISSUE]": 1}.get(self.arguments)


OPT_OUT, OPT_IN = "optout", "optin"
HIDE, UNHIDE = "hide", "unhide"

COMMANDS = {
    command.name: command
    for command in (
        Command("start", Audience.EVERYONE),
        Command("briefing", Audience.ASKER),
        Command("top", Audience.ASKER, "[n] [date]"),
        Command("score", Audience.ASKER, "ISSUE [date]"),
        Command("why", Audience.ASKER, "ISSUE [date]"),
        Command("history", Audience.ASKER, "[ISSUE] [date]"),
        Command("chart", Audience.ASKER, "[ISSUE] [date]"),
        Command("stats", Audience.ASKER, "[date]"),
        Command(HIDE, Audience.ASKER, "ISSUE"),
        Command(UNHIDE, Audience.ASKER, "[ISSUE]"),
        Command("export", Audience.PRIVATE_CHAT),
        Command("link", Audience.PRIVATE_CHAT),
        Command("unlink", Audience.PRIVATE_CHAT),
        Command("privacy", Audience.EVERYONE),
        Command(OPT_OUT, Audience.ASKER),
        Command(OPT_IN, Audience.ASKER),
        Command("forget", Audience.ASKER),
        Command("help", Audience.EVERYONE),
        Command("status", Audience.PRIVATE_CHAT, for_admins=True),
        Command("clock", Audience.PRIVATE_CHAT, "[ok]", for_admins=True),
    )
}
"""In the order of the menu."""


CARDS, HINT = "", " "
"""Names of questions without a command: for cards of issues, or not understood."""


class Asked(msgspec.Struct, frozen=True):
    """A command as it was sent; `name` is in lower case and may be unknown."""

    name: str
    arguments: tuple[str, ...] = ()
    by_name: bool = False
    """Whether it names this bot: `/top@this_bot`."""
    issue: str | None = None
    """The issue to hide or to show again, if the arguments begin with one."""


_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@(\w+))?", re.ASCII)


def asked_in(text: str, bot_username: str) -> Asked | None:
    """Return the command that `text` begins with; None if there is none or it names another bot."""
    command, *arguments = text.split() or [""]
    match = _COMMAND.fullmatch(command)
    if match is None:
        return None
    name, bot = match[1].lower(), match[2]
    if bot is not None and bot.lower() != bot_username.lower():
        return None
    return Asked(name, tuple(arguments), bot is not None)


def without_courtesies(arguments: Sequence[str]) -> list[str]:
    """Return the words after a command without courtesies such as please."""
    return [word for word in arguments if word.strip(".,!?").lower() not in words.COURTESIES]


# Telegram carries this through its link into the private chat: A-Z, a-z, 0-9, _ and - only. No
# argument is empty, so two joints in a row are free to stand for the colon of a time.
_JOINT, _COLON = "_", "__"


def link_payload(asked: Asked) -> str:
    """Encode `asked` as the payload of a link into the private chat, which then answers it."""
    return _JOINT.join((asked.name, *asked.arguments)).replace(":", _COLON)


def asked_by_link(payload: str) -> Asked | None:
    """Decode the command of a link's payload; None if it holds no known command."""
    name, *arguments = payload.replace(_COLON, ":").split(_JOINT)
    command = COMMANDS.get(name)
    if command is None or name == "start":
        return None
    return Asked(name, tuple(arguments))
