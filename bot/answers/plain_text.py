"""Texts without markup: cut, measured, without links, and taken out of HTML."""

import re
from html.parser import HTMLParser
from unicodedata import east_asian_width

UNLINKED = "\u2060"
"""Stands where Telegram would find an address, a name or a command in the words of a person."""

_UNLINKED = re.compile(rf"(?<=[.@#$/:]){UNLINKED}")
_LINKED = re.compile(r"(?<=[.@#$/:])(?=\w)")

CONTEXT_SHOWN = 100


def unlinked(text: str) -> str:
    """`text`, marked so that Telegram finds no address, name or command in it."""
    return _LINKED.sub(UNLINKED, text)


def plain_text(html: str) -> str:
    """Strip the tags of a reply's `html` and unescape its characters."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    return _UNLINKED.sub("", "".join(parser.pieces))


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


def utf16_units(text: str) -> int:
    """Return the length of `text` as Telegram counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def one_line(text: str) -> str:
    """The beginning of `text` on one line, with an ellipsis if it is cut."""
    return cut(" ".join(text.split()), CONTEXT_SHOWN)


def cut(text: str, length: int) -> str:
    """`text` with an ellipsis in place of what is beyond `length` characters."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def columns_of(text: str) -> int:
    """The columns that `text` takes, where East Asian characters and pictures take two."""
    return sum(2 if east_asian_width(each) in "WF" else each != UNLINKED for each in text)


def cut_to_columns(text: str, columns: int) -> str:
    """`text` with an ellipsis in place of what does not fit into `columns`."""
    if columns_of(text) <= columns:
        return text
    while text and columns_of(text) >= columns:
        text = text[:-1]
    return f"{text.rstrip()}…"
