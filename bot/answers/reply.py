"""A reply as a value that any interface can show: HTML in Telegram's dialect, buttons, a file."""

from html import escape
from typing import IO

import msgspec

from bot.answers.plain_text import utf16_units

TEXT_LIMIT = 4096
"""The most UTF-16 units of a message; markup is included, although Telegram does not count it."""


class Button(msgspec.Struct, frozen=True):
    """A button below a reply, which sends `data` back, opens `url`, or copies the text `copied`."""

    text: str
    data: str = ""
    url: str | None = None
    copied: str | None = None
    is_beside: bool = False
    """Whether it is in the row of the button before it."""


class Attachment(msgspec.Struct, frozen=True):
    """A file attached to a reply; a picture is shown, any other file is saved."""

    name: str
    content: bytes | IO[bytes]
    is_picture: bool


class Reply(msgspec.Struct, frozen=True):
    """An answer: HTML, buttons, and optionally a file."""

    html: str
    buttons: tuple[Button, ...] = ()
    attachment: Attachment | None = None


def fill(template: str, /, **values: object) -> str:
    """Fill the values into `template`, HTML-escaped.

    A lone surrogate, which cannot be sent, becomes a question mark.
    """
    shown = {name: str(value).encode(errors="replace").decode() for name, value in values.items()}
    return template.format_map({name: escape(value) for name, value in shown.items()})


def say(template: str, /, **values: object) -> Reply:
    """A reply of text alone, from a template and its values."""
    return Reply(fill(template, **values))


def parts(html: str) -> list[str]:
    """Split `html` at line ends into messages within the limit, which no line may exceed."""
    messages: list[str] = []
    waiting, *lines = html.split("\n")
    for line in lines:
        longer = f"{waiting}\n{line}"
        if utf16_units(longer) >= TEXT_LIMIT:
            messages.append(waiting)
            waiting = line
        else:
            waiting = longer
    return [*messages, waiting]
