"""Telegram Desktop's export in JSON, of one chat or of all, read as a stream.

One chat is an object with name, type, id and then messages; a full export holds such objects in
`chats.list` and `left_chats.list`. Channels and saved messages are passed over: nothing of people's
is in them.
"""

import io
from collections.abc import Iterator
from itertools import count
from typing import Any

import ijson

from ledger.exported_message import ExportedMessage
from ledger.intake.exported_fields import Chat, chat_of, message_of
from ledger.intake.exported_text import MESSAGE_LIMIT_BYTES, EndlessMessageError, ExportedText
from ledger.intake.files import READING_FAILS, reason_of
from ledger.intake.history import Refusal, UnreadableHistoryError

Item = ExportedMessage | Refusal
Events = Iterator[tuple[str, Any]]

_LISTS = {"chats", "left_chats"}
_HEADER = {"type", "id"}
_OPENS = {"start_map", "start_array"}
_CLOSES = {"end_map", "end_array"}
_DEPTH_LIMIT = 20  # messages nest about four deep

_NO_EXPORT = "there are no chats in it; it is no export of Telegram Desktop's in JSON"


def read_export(stream: io.BufferedReader) -> Iterator[Item]:
    """Yield each message of the chats in which people talk, or why it is none, in constant memory.

    The stream may be gzipped. Raises UnreadableHistoryError where it cannot be read on: what came
    before was yielded.
    """
    text = ExportedText(stream)
    last: Item | None = None
    try:
        for item in _Export(text).items():
            last = item
            yield item
    except (ijson.JSONError, EndlessMessageError, *READING_FAILS) as error:
        where = "at its beginning" if last is None else f"after {last.place}"
        raise UnreadableHistoryError(
            f"{where}: cannot be read on: {_reason(error, text)}"
        ) from None


def _reason(error: Exception, text: ExportedText) -> str:
    if isinstance(error, EndlessMessageError):
        return f"something is longer than {MESSAGE_LIMIT_BYTES:,} bytes"
    if not isinstance(error, ijson.JSONError):
        return reason_of(error)
    # What the parser says itself would quote what people wrote.
    return "the file is truncated" if text.is_at_end else "it is no JSON"


class _Export:
    """One export, from its first byte to its last."""

    def __init__(self, text: ExportedText) -> None:
        self._text = text
        self._events: Events = ijson.basic_parse(text, use_float=True)
        self._chats = count(1)
        self._has_chats = False

    def items(self) -> Iterator[Item]:
        """Yield all messages."""
        event, _ = next(self._events)
        if event == "start_map":
            yield from self._object(None)
        else:
            self._skip(event)
        for _ in self._events:  # to the end: there the parser sees what must not follow
            pass
        if not self._has_chats:
            raise UnreadableHistoryError(f"at its end: {_NO_EXPORT}")

    def _object(self, number: int | None) -> Iterator[Item]:
        """Yield the messages of an object that may be a chat, or hold lists of chats."""
        header: dict[str, object] = {}
        for event, key in self._events:
            if event == "end_map":
                return
            event, value = next(self._events)  # noqa: PLW2901 - a key's value is the next event
            if key == "messages" and event == "start_array":
                self._has_chats = True
                yield from self._messages(chat_of(header, number))
            elif key in _LISTS and number is None and event == "start_map":
                yield from self._lists()
            elif key in _HEADER:
                header[key] = self._built(event, value)
            else:
                self._skip(event)

    def _lists(self) -> Iterator[Item]:
        for event, key in self._events:
            if event == "end_map":
                return
            event, _ = next(self._events)  # noqa: PLW2901 - a key's value is the next event
            if key == "list" and event == "start_array":
                self._has_chats = True
                yield from self._list()
            else:
                self._skip(event)

    def _list(self) -> Iterator[Item]:
        for event, _ in self._events:
            if event == "end_array":
                return
            if event == "start_map":
                yield from self._object(next(self._chats))
            else:
                self._skip(event)

    def _messages(self, chat: Chat | Refusal | None) -> Iterator[Item]:
        if not isinstance(chat, Chat):
            if chat is not None:
                yield chat
            self._skip("start_array")
            return
        for number in count(1):
            event, value = next(self._events)
            if event == "end_array":
                return
            yield message_of(chat, self._built(event, value), number)
            self._text.mark()

    def _built(self, event: str, value: object, depth: int = 0) -> object:
        """Return the value that begins with this event; what is nested too deep becomes None."""
        if event not in _OPENS:
            return value
        if depth == _DEPTH_LIMIT:
            self._skip(event)
            return None
        events = self._events
        if event == "start_array":
            array: list[object] = []
            for event, value in events:  # noqa: PLR1704 - the same two, one level down
                if event == "end_array":
                    break
                array.append(self._built(event, value, depth + 1) if event in _OPENS else value)
            return array
        fields: dict[str, object] = {}
        for event, key in events:
            if event == "end_map":
                break
            event, value = next(events)  # noqa: PLW2901 - as above
            fields[key] = self._built(event, value, depth + 1) if event in _OPENS else value
        return fields

    def _skip(self, event: str) -> None:
        """Pass over the value that begins with this event, however large it is."""
        depth = 1 if event in _OPENS else 0
        while depth:
            event, _ = next(self._events)
            depth += (event in _OPENS) - (event in _CLOSES)
            self._text.mark()
