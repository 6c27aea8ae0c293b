"""Validation of texts: user ids, issue ids, names, reasons, and how a context is cut (R1)."""

import re
import unicodedata
from functools import cache, lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, NewType

from ledger.errors import InvalidInteractionError, InvalidReasonError

if TYPE_CHECKING:
    import regex

UserId = NewType("UserId", str)
IssueId = NewType("IssueId", str)

ID_LIMIT = 100
ISSUE_ID_LIMIT = 50
CONTEXT_LIMIT = 200
LINEAR_ID_LIMIT = 100
DISPLAY_NAME_LIMIT = 100
REASON_LIMIT = 200
TEXT_LIMIT = 500

# Cc control, Cf format; Cs lone surrogates cannot be encoded at all.
_UNSAFE_IN_IDS = r"[\p{Cc}\p{Cf}\p{Cs}]"
# NUL breaks C strings, lone surrogates break encoders, bidi controls reorder what is shown.
_REMOVED_FROM_CONTEXT = re.compile(
    "[\x00\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_GRAPHEME = r"\X"


def user_id_of(text: str) -> UserId:
    """Return `text` as a user id, unchanged.

    Raises InvalidInteractionError unless it is 1..100 characters of NFC text without control or
    format characters. Nothing is cleaned, which could merge people, or converted: use `str` for the
    int ids of python-telegram-bot.
    """
    return _user_id_of(string_of("user_id", text))


@lru_cache(maxsize=65_536)
def _user_id_of(text: str) -> UserId:
    return UserId(_id_of("user_id", text))


def string_of(field: str, value: object) -> str:
    """Return `value`; raises InvalidInteractionError if it is not a string."""
    if isinstance(value, str):
        return value
    raise InvalidInteractionError(field, f"must be a string, not {type(value).__name__}")


def chat_id_of(text: str) -> str:
    """Return `text` as a chat id, unchanged, by the rules of a user id."""
    return _id_of("chat_id", string_of("chat_id", text))


def _id_of(field: str, text: str) -> str:
    if not 1 <= len(text) <= ID_LIMIT:
        raise InvalidInteractionError(field, f"must be 1 to {ID_LIMIT} characters long")
    if _without_unsafe(text) != text:
        raise InvalidInteractionError(field, "must not hold control or format characters")
    if not unicodedata.is_normalized("NFC", text):
        raise InvalidInteractionError(field, "must be in Unicode form NFC")
    return text


def issue_id_of(text: str) -> IssueId:
    """Return `text` in upper case as an issue id.

    Raises InvalidInteractionError unless it is 1..50 printable ASCII characters; a blank at either
    end counts as a mistake.
    """
    return _issue_id_of(string_of("issue_id", text))


@lru_cache(maxsize=65_536)
def _issue_id_of(text: str) -> IssueId:
    if not 1 <= len(text) <= ISSUE_ID_LIMIT:
        raise InvalidInteractionError("issue_id", f"must be 1 to {ISSUE_ID_LIMIT} characters long")
    if not (text.isascii() and text.isprintable()):
        raise InvalidInteractionError("issue_id", "must be printable ASCII")
    if text != text.strip():
        raise InvalidInteractionError("issue_id", "must not begin or end with a blank")
    return IssueId(text.upper())


def linear_id_of(text: str | None) -> str | None:
    """Return `text` unchanged, or None if it cannot be stored unchanged (R1)."""
    if not text:
        return None
    string_of("linear_id", text)
    return None if len(text) > LINEAR_ID_LIMIT or _without_unsafe(text) != text else text


def context_of(text: str | None) -> str | None:
    """Return `text` cleaned and cut, or None if nothing is left.

    The result is NFC, has no NUL, lone surrogate or bidi control, is at most 200 characters long
    and ends at a grapheme boundary. Cleaning what is clean changes nothing.
    """
    if not text:
        return None
    string_of("context", text)
    if text.isascii() and len(text) <= CONTEXT_LIMIT and "\0" not in text:
        return text
    cleaned = unicodedata.normalize("NFC", _REMOVED_FROM_CONTEXT.sub("", text))
    return cleaned[: _cut(cleaned, CONTEXT_LIMIT)] or None


def display_name_of(text: str | None) -> str | None:
    """Return `text` as a display name, or None if nothing is left.

    The result is one line of NFC without control or format characters, at most 100 characters long
    and ends at a grapheme boundary. Cleaning what is clean changes nothing.
    """
    return _line_of(text, DISPLAY_NAME_LIMIT) if text else None


def text_of(text: str) -> str | None:
    """Return `text` as a title or a name at Linear: as a display name, of up to 500 characters."""
    return _line_of(text, TEXT_LIMIT)


def _line_of(text: str, limit: int) -> str | None:
    kept = _without_unsafe(" ".join(text.split()))
    line = unicodedata.normalize("NFC", " ".join(kept.split()))
    return line[: _cut(line, limit)].rstrip() or None


def reason_of(text: str) -> str:
    """Return `text` as a reason that an event can hold: one line without control characters.

    Raises InvalidReasonError if nothing is left, or more than 200 characters are.
    """
    reason = unicodedata.normalize("NFC", _without_unsafe(" ".join(text.split()))).strip()
    if not 1 <= len(reason) <= REASON_LIMIT:
        raise InvalidReasonError(f"must be 1 to {REASON_LIMIT} characters long")
    return reason


def _without_unsafe(text: str) -> str:
    # Printable texts, as most ids are, have none of them.
    return text if text.isprintable() else _compiled(_UNSAFE_IN_IDS).sub("", text)


@cache
def _compiled(pattern: str) -> "regex.Pattern[str]":
    """Compile a pattern on first use: importing regex takes as long as this whole module."""
    import regex  # noqa: PLC0415 - see above

    return regex.compile(pattern)


def _cut(text: str, limit: int) -> int:
    if len(text) <= limit:
        return len(text)
    ends = (grapheme.end() for grapheme in _compiled(_GRAPHEME).finditer(text))
    return max(takewhile(lambda end: end <= limit, ends), default=0)
