"""Replies as plain text, for wherever there is no markup."""

from html.parser import HTMLParser


def plain_text(html: str) -> str:
    """Return `html`, as replies are written in it, without tags and with its characters back."""
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
