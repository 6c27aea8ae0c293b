"""Texts as Telegram reads them: parse_mode HTML, UTF-16 lengths, entities found by themselves.

The grammar of the HTML and the wording of its errors follow TDLib's `parse_html`.
"""

import re
from html import unescape
from typing import Any, NamedTuple

from tests.support.telegram.errors import bad_request

Entity = dict[str, Any]

TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024

_TOKEN = re.compile(
    r"<(?:\"[^\"]*\"|'[^']*'|[^>\"'])*>?|&(?:lt|gt|amp|quot|#\d{1,8}|#x[0-9A-Fa-f]{1,8});|[^<&]+|&"
)
_TAG = re.compile(r"<(/?)([^\s>]*)(.*)>", re.DOTALL)
_CUT_TAG = re.compile(r"<(?!/)([^\s>]*)\s")
_ATTRIBUTE = re.compile(r"""\s*([^\s=]+)(?:\s*=\s*("[^"]*"|'[^']*'|[\w.-]+))?\s*""")
_LINK = re.compile(r"(?:https?://|tg://|mailto:|tel:)?[^\s<>]+\Z")

_FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"]+|(?<![\w@/.-])(?:[a-z0-9-]+\.)+(?:com|org|net|app|io|me|dev)\b"
    r"(?:/[^\s<>\"]*)?)"
    r"|(?P<bot_command>(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/]))"
    r"|(?P<mention>(?<!\w)@[A-Za-z0-9_]{3,32}(?!\w))",
    re.IGNORECASE,
)


class Parsed(NamedTuple):
    """A text without its tags, what the tags said, and whether each `&` in it was escaped."""

    text: str
    entities: list[Entity]
    ampersands_escaped: bool = True


def utf16(text: str) -> int:
    """The length of a text as Telegram counts it, in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def parse_html(html: str) -> Parsed:
    """The text and entities of a message sent with parse_mode HTML; 400 where it is malformed."""
    plain: list[str] = []
    entities: list[Entity] = []
    open_tags: list[tuple[str, Entity]] = []
    length, escaped = 0, True
    for token in _TOKEN.finditer(html):
        part = token[0]
        if part.startswith("<"):
            _tag(part, _byte_offset(html, token.start()), length, open_tags, entities)
            continue
        escaped = escaped and part != "&"
        shown = unescape(part) if part.startswith("&") and part != "&" else part
        plain.append(shown)
        length += utf16(shown)
    if open_tags:
        raise _unparsable(f'Can\'t find end tag corresponding to start tag "{open_tags[-1][0]}"')
    text = "".join(plain)
    return Parsed(text, _links_resolved(text, entities), escaped)


def _tag(
    part: str, at: int, length: int, open_tags: list[tuple[str, Entity]], entities: list[Entity]
) -> None:
    tag = _TAG.fullmatch(part)
    if tag is None and (cut := _CUT_TAG.match(part)) and cut[1].lower() not in TYPES:
        raise _unparsable(f'Unsupported start tag "{cut[1].lower()}" at byte offset {at}')
    if tag is None:
        raise _unparsable(
            f"Unclosed {'end' if part[1:2] == '/' else 'start'} tag at byte offset {at}"
        )
    closing, name, attributes = tag[1], tag[2].lower(), tag[3]
    if closing:
        _close(name, at, length, open_tags, entities)
    else:
        open_tags.append((name, _opened(name, attributes, at, length)))


def _opened(name: str, attributes: str, at: int, length: int) -> Entity:
    if name not in TYPES:
        raise _unparsable(f'Unsupported start tag "{name}" at byte offset {at}')
    given = {key: unescape(value.strip("\"'")) for key, value in _ATTRIBUTE.findall(attributes)}
    entity: Entity = {"type": TYPES[name], "offset": length}
    if name == "span" and given.get("class") != "tg-spoiler":
        raise _unparsable(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
    if name == "a":
        entity["url"] = given.get("href", "")
    if name == "tg-emoji":
        entity["custom_emoji_id"] = given.get("emoji-id", "")
    if name == "blockquote" and "expandable" in given:
        entity["type"] = "expandable_blockquote"
    return entity


def _close(
    name: str, at: int, length: int, open_tags: list[tuple[str, Entity]], entities: list[Entity]
) -> None:
    if not open_tags:
        raise _unparsable(f"Unexpected end tag at byte offset {at}")
    expected, entity = open_tags.pop()
    if name not in {"", expected}:
        raise _unparsable(
            f'Unmatched end tag at byte offset {at}, expected "</{expected}>", found "</{name}>"'
        )
    if length > entity["offset"]:
        entities.append(entity | {"length": length - entity["offset"]})


def _links_resolved(text: str, entities: list[Entity]) -> list[Entity]:
    units = text.encode("utf-16-le", "surrogatepass")
    kept = []
    for entity in entities:
        if entity["type"] == "text_link":
            start, end = entity["offset"], entity["offset"] + entity["length"]
            shown = units[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")
            entity["url"] = entity["url"] or shown
            if not _LINK.match(entity["url"]):
                continue  # as Telegram does: the text stays, the link goes
        kept.append(entity)
    return sorted(kept, key=lambda entity: (entity["offset"], -entity["length"]))


def _byte_offset(html: str, characters: int) -> int:
    return len(html[:characters].encode("utf-8", "surrogatepass"))


def _unparsable(why: str) -> Exception:
    return bad_request(f"can't parse entities: {why}")


def detected(text: str) -> list[Entity]:
    """The entities that Telegram finds by itself: commands, mentions and addresses."""
    return [
        {
            "type": found.lastgroup,
            "offset": utf16(text[: found.start()]),
            "length": utf16(found[0].rstrip(".,:;!?)'")),
        }
        for found in _FOUND.finditer(text)
    ]


def read(text: str, parse_mode: str | None, entities: list[Entity] | None = None) -> Parsed:
    """A text as Telegram stores it: parsed, cleaned of control characters, trimmed."""
    if parse_mode is None or parse_mode == "":
        parsed = Parsed(text, entities or [])
    elif parse_mode.upper() == "HTML":
        parsed = parse_html(text)
    else:
        raise bad_request("unsupported parse_mode")
    return _with_detected(_trimmed(parsed))


def _trimmed(parsed: Parsed) -> Parsed:
    cleaned = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", " ", parsed.text).replace("\r", "")
    if cleaned == parsed.text == parsed.text.strip():
        return parsed
    text = cleaned.strip()
    before, length = utf16(cleaned) - utf16(cleaned.lstrip()), utf16(text)
    entities = []
    for entity in parsed.entities:
        start = max(0, entity["offset"] - before)
        end = min(length, entity["offset"] + entity["length"] - before)
        if end > start:
            entities.append(entity | {"offset": start, "length": end - start})
    return Parsed(text, entities, parsed.ampersands_escaped)


def _with_detected(parsed: Parsed) -> Parsed:
    taken = [
        (e["offset"], e["offset"] + e["length"]) for e in parsed.entities if e["type"] in _WHOLE
    ]
    more = [
        entity
        for entity in detected(parsed.text)
        if not any(
            a < entity["offset"] + entity["length"] and entity["offset"] < b for a, b in taken
        )
    ]
    merged = sorted([*parsed.entities, *more], key=lambda e: (e["offset"], -e["length"]))
    return Parsed(parsed.text, merged, parsed.ampersands_escaped)


_WHOLE = frozenset({"code", "pre", "text_link", "text_mention", "custom_emoji", "url", "mention"})
"""Characters that leave no room for a detected entity."""


def refuse_length(text: str, limit: int) -> None:
    """400 for a text that is empty, or longer after parsing than Telegram takes."""
    if limit == TEXT_LIMIT and not text:
        raise bad_request("message text is empty")
    if utf16(text) > limit:
        raise bad_request(
            "message is too long" if limit == TEXT_LIMIT else "message caption is too long"
        )
