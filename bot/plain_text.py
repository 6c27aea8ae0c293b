"""Replies as plain text, for output without markup."""

from html.parser import HTMLParser


def plain_text(html: str) -> str:
    """Strip the tags of a reply's `html` and unescape its characters."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    return "".join(parser.pieces)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)
