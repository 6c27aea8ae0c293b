"""The bot's commands: their names, who may give them and who sees the answer."""

import re
from enum import Enum

import msgspec


class Audience(Enum):
    """Who may see the answer to a command that was given in a group."""

    EVERYBODY = "everybody"
    ASKER = "asker"
    """Answered in private; in the group stands only that it was."""
    PRIVATE_CHAT = "private chat"
    """Not even asked for in a group."""


class Command(msgspec.Struct, frozen=True):
    """A command; `arguments` is how they are written, for people and menus."""

    name: str
    audience: Audience
    arguments: str = ""
    for_admins: bool = False

    @property
    def words_at_most(self) -> int | None:
        """How many words may follow it; None for any number."""
        return {"": 0, "ISSUE": 1, "[ISSUE]": 1}.get(self.arguments)


OPT_OUT, OPT_IN = "optout", "optin"
HIDE, UNHIDE = "hide", "unhide"

COMMANDS = {
    command.name: command
    for command in (
        Command("start", Audience.EVERYBODY),
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
        Command("privacy", Audience.EVERYBODY),
        Command(OPT_OUT, Audience.ASKER),
        Command(OPT_IN, Audience.ASKER),
        Command("forget", Audience.ASKER),
        Command("help", Audience.EVERYBODY),
        Command("status", Audience.PRIVATE_CHAT, for_admins=True),
        Command("clock", Audience.PRIVATE_CHAT, "[ok]", for_admins=True),
    )
}
"""In the order of the menu."""


class Asked(msgspec.Struct, frozen=True):
    """A command as somebody gave it; `name` is in lower case and may be none of ours."""

    name: str
    arguments: tuple[str, ...] = ()
    by_name: bool = False
    """Whether it was for this bot by its name: `/top@this_bot`."""


_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@(\w+))?", re.ASCII)


def asked_in(text: str, bot_username: str) -> Asked | None:
    """Return the command that `text` begins with, or None: no command, or another bot's."""
    words = text.split()
    match = _COMMAND.fullmatch(words[0]) if words else None
    if match is None:
        return None
    name, bot = match[1].lower(), match[2]
    if bot is not None and bot.lower() != bot_username.lower():
        return None
    return Asked(name, tuple(words[1:]), bot is not None)


# Telegram carries this through its link into the private chat: A-Z, a-z, 0-9, _ and - only. No
# argument is empty, so two joints in a row are free to stand for the colon of a time.
_JOINT, _COLON = "_", "__"


def link_payload(asked: Asked) -> str:
    """Return what a link into the private chat carries, so that `asked` is answered there."""
    return _JOINT.join((asked.name, *asked.arguments)).replace(":", _COLON)


def asked_by_link(payload: str) -> Asked | None:
    """Return the command that a link carried, or None where it carried none of ours."""
    name, *arguments = payload.replace(_COLON, ":").split(_JOINT)
    command = COMMANDS.get(name)
    if command is None or name == "start":
        return None
    return Asked(name, tuple(arguments))
