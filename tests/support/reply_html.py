"""How a reply reads once Telegram has parsed it: strictly, and within its limits."""

from bot.answers.reply import Reply, parts
from tests.support.telegram.entities import CAPTION_LIMIT, TEXT_LIMIT, parse_html, utf16

OUR_TAGS = frozenset({"bold", "italic", "code"})
"""The tags of our own sentences: any other tag is a text that was not escaped."""

CALLBACK_DATA_LIMIT_BYTES = 64
COPIED_LIMIT = 256


def shown(html: str) -> str:
    """The text without its tags; an error where it is malformed or holds foreign markup."""
    parsed = parse_html(html)
    assert parsed.ampersands_escaped, "an ampersand is not escaped"
    foreign = {entity["type"] for entity in parsed.entities} - OUR_TAGS
    assert not foreign, f"unescaped markup: {foreign}"
    return parsed.text


def read(html: str, limit: int = TEXT_LIMIT - 1) -> str:
    """A message as it reads; an error where it is empty, longer than `limit`, or cannot be sent."""
    assert utf16(html) <= limit, "longer than a message may be"
    text = shown(html)
    assert text.strip(), "an empty message"
    text.encode()  # half a surrogate pair cannot be sent
    return text


def check_button(text: str, data: str | None) -> None:
    """Let a button have words on it, and data that Telegram takes."""
    assert text.strip(), "a button without words"
    text.encode()
    assert data is None or 1 <= len(data.encode()) <= CALLBACK_DATA_LIMIT_BYTES, "a button's data"


def sent(reply: Reply) -> list[str]:
    """The messages of a reply as they read, each within the limits."""
    for button in reply.buttons:
        check_button(button.text, None if button.url or button.copied else button.data)
        assert button.copied is None or 1 <= utf16(button.copied) <= COPIED_LIMIT
    if reply.attachment is not None:
        return [read(reply.html, CAPTION_LIMIT)]
    return [read(message) for message in parts(reply.html)]
