"""The parts of a page that tests look at: its ids, its links, and its text."""

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input", "path"}


class Page(HTMLParser):
    """A page as it is nested; closing tags without an opening one are among the complaints."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.complaints: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self._target: str | None = None
        self.feed(html)
        self.close()
        self.complaints += [f"{tag} is left open" for tag in self._open]

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.addresses += [found[name] or "" for name in ("src", "href") if name in found]
        self.handlers += [name for name in found if name.startswith("on")]
        if tag == "a":
            self._target = found["href"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.complaints.append(f"{tag} is closed and was not open")
        if tag == "a":
            self._target = None

    def handle_data(self, data):
        self.text += data
        if self._target is not None and data.strip():
            self.links.append((self._target, data))


def wrong_with(page: Page) -> list[str]:
    """The references that keep the page from being self-contained."""
    wrong = list(page.complaints)
    wrong += [f"#{each} is there twice" for each in set(page.ids) if page.ids.count(each) > 1]
    wrong += [f"{tag} is no part of it" for tag in page.tags if tag in {"script", "iframe", "img"}]
    wrong += [f"{each} is a handler" for each in page.handlers]
    for address in page.addresses:
        inside = address == "data:," or (address[:1] == "#" and address[1:] in page.ids)
        wrong += [] if inside else [f"{address!r} leads outside or nowhere"]
    return wrong
