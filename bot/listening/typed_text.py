"""Typed text in Telegram's nested forms: entities, rich messages, checklists and polls, of the Bot
API and of exports.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from ledger.errors import LedgerError

NESTING_LIMIT = 100
"""Nested objects and lists; Telegram's own limits are far lower."""

_TEXTS = frozenset(
    """
    author caption credit description explanation expression formula question solution source
    summary text title
    """.split()  # noqa: SIM905 - a list to read, and to add to
)
"""Fields that hold a text."""

_LISTS = frozenset(
    """
    answers articles block blocks button buttons cells items options rows tasks
    """.split()  # noqa: SIM905 - as above
)
"""Fields whose texts begin on a line of their own."""

_LINKS = {"href", "url"}
_NAMES = {"mention", "mention_name", "text_mention"}
_UNMARKED = {"plain", "concat", "empty"}

_BLOCKS = frozenset(
    """
    anchor animation audio author_date blockquote button_row buttons channel code collage cover
    details divider document embed embed_post expandable_blockquote file footer heading input_map
    list map math mathematical_expression paragraph photo pre pullquote quote related_articles
    slideshow table thinking video voice_note
    """.split()  # noqa: SIM905 - a list to read, and to add to
)
"""Known types of a rich message's blocks."""


class NestedTooDeepError(LedgerError):
    """A text that is nested deeper than NESTING_LIMIT."""

    def __init__(self) -> None:
        """Do not quote the text."""
        super().__init__("its text is nested too deep")


class TypedText(NamedTuple):
    """A text, the targets of its links, and the users it mentions, by name and by user id."""

    text: str = ""
    links: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    named_ids: tuple[int, ...] = ()


def typed_text_of(*contents: object) -> TypedText:
    """Extract the text of `contents`, each on a new line.

    Values other than texts, lists and objects hold no text. Raises NestedTooDeepError.
    """
    if len(contents) == 1 and isinstance(contents[0], str):
        return TypedText(contents[0])  # the most frequent case
    readers = [_Reader(is_rich=_is_rich(content)) for content in contents]
    lines = [reader.text(content, 0) for reader, content in zip(readers, contents, strict=True)]
    return TypedText(
        "\n".join(line for line in lines if line),
        tuple(link for reader in readers for link in reader.links),
        tuple(name for reader in readers for name in reader.names),
        tuple(user_id for reader in readers for user_id in reader.named_ids),
    )


def is_unknown_message(rich_message: object) -> bool:
    """Whether a rich message has a block of an unknown kind."""
    blocks = rich_message.get("blocks") if isinstance(rich_message, Mapping) else None
    if not isinstance(blocks, list):
        return True
    return any(not isinstance(each, Mapping) or _kind_of(each) not in _BLOCKS for each in blocks)


def may_hold_text(fields: Mapping[str, object], *, has_content: bool) -> bool:
    """Whether fields of unknown names may hold text that a person typed.

    In a message of a known kind, such as a photo, only a value that looks like text may.
    """
    return any(
        isinstance(value, Mapping | list) and bool(typed_text_of(value).text)
        if has_content
        else isinstance(value, str | Mapping | list) and bool(value)
        for value in fields.values()
    )


def _kind_of(fields: Mapping[str, object]) -> str | None:
    kind = fields.get("type")
    return kind if isinstance(kind, str) else None


def _is_rich(content: object) -> bool:
    return isinstance(content, Mapping) and "blocks" in content


class _Reader:
    """Extracts the text of a content, and collects links and names."""

    def __init__(self, *, is_rich: bool) -> None:
        self._is_rich = is_rich
        self.links: list[str] = []
        self.names: list[str] = []
        self.named_ids: list[int] = []

    def lines(self, contents: object, depth: int) -> str:
        if not isinstance(contents, list) or depth > NESTING_LIMIT:
            return self.text(contents, depth)
        lines = [self.lines(each, depth + 1) for each in contents]
        return "\n".join(line for line in lines if line)

    def text(self, content: object, depth: int) -> str:
        if depth > NESTING_LIMIT:
            raise NestedTooDeepError
        if isinstance(content, str):
            return content
        if isinstance(content, list):
            return self._joined(content, depth + 1)
        return self._object(content, depth + 1) if isinstance(content, Mapping) else ""

    def _joined(self, contents: list[object], depth: int) -> str:
        # In a rich message a link may follow a bold word without a blank, and look like two words.
        texts = [each if isinstance(each, str) else self.text(each, depth) for each in contents]
        for number, pair in enumerate(pairwise(contents) if self._is_rich else (), 1):
            if _both_are_marked(pair):
                texts[number] = f" {texts[number]}"
        return "".join(texts)

    def _object(self, fields: Mapping[str, object], depth: int) -> str:
        found: dict[str, str] = {}
        for key, value in fields.items():
            if key in _LISTS:
                found[key] = self.lines(value, depth)
            elif key in _LINKS and isinstance(value, str):
                self.links.append(value)
            # The title of a file is not text of the message.
            elif key in _TEXTS and not (key == "title" and "media_type" in fields):
                found[key] = value if isinstance(value, str) else self.text(value, depth)
        if _kind_of(fields) in _NAMES:
            self._name(fields, found.get("text", ""))
        return "\n".join([each for each in found.values() if each])

    def _name(self, fields: Mapping[str, object], name: str) -> None:
        self.names.append(name)
        user = fields.get("user")
        user_id = user.get("id") if isinstance(user, Mapping) else fields.get("user_id")
        if isinstance(user_id, str) and user_id.isascii() and user_id.isdecimal():
            user_id = int(user_id[:20])
        if isinstance(user_id, int):
            self.named_ids.append(user_id)


def _both_are_marked(pair: tuple[object, object]) -> bool:
    return all(isinstance(each, Mapping) and _kind_of(each) not in _UNMARKED for each in pair)
