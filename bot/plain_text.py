"""Replies as plain text, for output without markup."""

import re
from html.parser import HTMLParser

UNLINKED = "\u2060"
"""Stands where Telegram would find an address, a name or a command in the words of a person."""

_UNLINKED = re.compile(rf"(?<=[.@#$/:]){UNLINKED}")


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
