"""Telegram Desktop's export in JSON, of one chat or of all, read as a stream.

One chat is an object with name, type, id and then messages; a full export holds such objects in
`chats.list` and `left_chats.list`. Channels and saved messages are skipped, because people do not
talk there.
"""

import io
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

from ledger.exported_message import ExportedMessage
from ledger.intake.exported_fields import Chat, broken_message, chat_of, message_of
from ledger.intake.exported_json import BrokenValueError, ExportedJson
from ledger.intake.history import READING_FAILS, Refusal, UnreadableHistoryError, reason_of

Item = ExportedMessage | Refusal

_LISTS = {b'"chats"', b'"left_chats"'}
_HEADER = {b'"type"': "type", b'"id"': "id"}

_NO_EXPORT = "it contains no chats, so it is not a JSON export from Telegram Desktop"
_OTHER_FORMATS = {
    b"<": "it is an export in HTML; export the chat again as machine-readable JSON",
    b"PK\x03\x04": "it is a zip archive; unpack it, and import the result.json in it",
}


def read_export(stream: io.BufferedReader) -> Iterator[Item]:
    """Yield a message or a refusal for each message of chats between people, in constant memory.

    The stream may be gzipped. Raises UnreadableHistoryError where it becomes unreadable, after
    yielding everything before.
    """
    last: Item | None = None
    try:
        for item in _Export(ExportedJson(stream)).items():
            last = item
            yield item
    except READING_FAILS as error:
        where = "at its beginning" if last is None else f"after {last.place}"
        raise UnreadableHistoryError(
            f"{where}: cannot be read further: {reason_of(error)}"
        ) from None


class _Export:
    """The reader of one export."""

    def __init__(self, json: ExportedJson) -> None:
        self._json = json
        self._chats = count(1)
        self._has_chats = False

    def items(self) -> Iterator[Item]:
        """Yield all messages."""
        is_object = self._json.next_byte() == b"{"
        for begins, what in _OTHER_FORMATS.items():
            if self._json.beginning.startswith(begins):
                raise UnreadableHistoryError(what)
        if is_object:
            yield from self._object(None)
        if not self._has_chats:
            raise UnreadableHistoryError(f"at its end: {_NO_EXPORT}")
        if self._json.next_byte():
            raise UnreadableHistoryError("at its end: something follows that does not belong to it")

    def _object(self, number: int | None) -> Iterator[Item]:
        """Yield the messages of an object that may be a chat, or hold lists of chats."""
        header: dict[str, object] = {}
        for key in self._json.fields():
            begins = self._json.next_byte()
            if key == b'"messages"' and begins == b"[":
                self._has_chats = True
                yield from self._messages(chat_of(header, number))
            elif key in _LISTS and number is None and begins == b"{":
                yield from self._lists()
            elif key in _HEADER:
                with suppress(BrokenValueError):
                    header[_HEADER[key]] = self._json.value()
            else:
                self._json.skip()

    def _lists(self) -> Iterator[Item]:
        for key in self._json.fields():
            if key == b'"list"' and self._json.next_byte() == b"[":
                self._has_chats = True
                yield from self._list()
            else:
                self._json.skip()

    def _list(self) -> Iterator[Item]:
        for _ in self._json.elements():
            if self._json.next_byte() == b"{":
                yield from self._object(next(self._chats))
            else:
                self._json.skip()

    def _messages(self, chat: Chat | Refusal | None) -> Iterator[Item]:
        for number in self._json.elements():
            if isinstance(chat, Chat):
                yield self._message(chat, number)
                continue
            if chat is not None and number == 1:
                yield chat
            self._json.skip()

    def _message(self, chat: Chat, number: int) -> Item:
        try:
            return message_of(chat, self._json.value(), number)
        except BrokenValueError as broken:
            return broken_message(chat, number, broken.begins, str(broken))
