"""Telegram Desktop's export in JSON, of one chat or of all, read as a stream.

One chat is an object with name, type, id and then messages; a full export holds such objects in
`chats.list` and `left_chats.list`. Channels and saved messages are skipped, because people do not
talk there.
"""

import datetime as dt
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import NamedTuple

from bot.intake.json_values import SPOILT, BrokenValueError, ExportedJson
from bot.listening.exported_messages import ChatType, ExportedMessage
from bot.listening.typed_text import (
    NestedTooDeepError,
    TypedText,
    is_unknown_message,
    may_hold_text,
    typed_text_of,
)
from ledger.application import READING_FAILS, reason_unreadable
from ledger.entries import Refusal
from ledger.errors import UnreadableHistoryError

# The interpretation of the fields of chats and messages in Telegram Desktop's exports.

_TYPES = {
    "private_supergroup": ChatType.SUPERGROUP,
    "public_supergroup": ChatType.SUPERGROUP,
    "private_group": ChatType.GROUP,
    "personal_chat": ChatType.PERSONAL,
    "bot_chat": ChatType.WITH_BOT,
}
_WITHOUT_PEOPLE = {
    "private_channel",
    "public_channel",
    "replies",
    "saved_messages",
    "verification_codes",
}

_ID_LIMIT = 10**12
_MOVED = 10**9
"""The offset of a basic group's message ids in the export of its supergroup."""

_CONTENT = frozenset(
    """
    contact_information contact_vcard file game_title giveaway_information giveaway_results
    invoice_information location_information media_type paid_stars_amount photo place_name poll
    sticker_emoji todo_list
    """.split()  # noqa: SIM905 - a list to read, and to add to
)
"""Fields with the kind of a message that is not a text."""

_BESIDE = frozenset(
    """
    address author contact_vcard_file_size date date_unixtime duration_seconds edited
    edited_unixtime file_name file_size forwarded_from forwarded_from_id from from_id
    game_description game_link height id inline_bot_buttons live_location_period_seconds
    media_spoiler mime_type performer photo_file_size reactions reply_to_message_id
    reply_to_peer_id rich_message saved_from self_destruct_period_seconds text text_entities
    thumbnail thumbnail_file_size title type via_bot width
    """.split()  # noqa: SIM905 - as above
)
"""Other fields of a message that Telegram Desktop writes."""

_TYPED = ("text", "rich_message", "todo_list", "poll")
"""Fields that hold what the sender typed."""

_BEGINNING_WITH_ID = re.compile(rb'\{\s*"id":\s*(-?[0-9]{1,15})\b')
_USER = re.compile(r"user([1-9][0-9]{0,15})")
_OTHER_SENDER = re.compile(r"(?:channel|chat)[0-9]{1,16}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_LAST_SECOND = 253_402_300_799

_NEW_EXPORT = "export the chat again with a present Telegram Desktop"
_NO_DATE = f"it has no date_unixtime, and its date has no zone; {_NEW_EXPORT}"
_NO_TEXT = (
    "its text contains invalid characters: bytes that are not UTF-8, or half of a surrogate pair"
)
_NO_SENDER = f"its from_id is not of the form user123; {_NEW_EXPORT}"
_NOT_EXPORTED = f"Telegram Desktop did not know what it is; {_NEW_EXPORT}"
_UNKNOWN = "its content is of a kind that is not known here, and was not read"


class Chat(NamedTuple):
    """A chat between people; `number` is its ordinal in a full export."""

    type: ChatType
    id: int
    number: int | None


def chat_of(header: dict[str, object], number: int | None) -> Chat | Refusal | None:
    """Return the chat with this type and id, or None for channels and saved messages."""
    kind, chat_id = header.get("type"), header.get("id")
    if not (isinstance(kind, str) and isinstance(chat_id, int)):
        return Refusal(_chat(number), "its type and its id must be given before its messages")
    if kind in _WITHOUT_PEOPLE:
        return None
    if kind not in _TYPES:
        return Refusal(_chat(number), "its type is not one that Telegram Desktop writes")
    if not 0 < chat_id < _ID_LIMIT:
        return Refusal(_chat(number), f"its id is not a number from 1 to {_ID_LIMIT - 1}")
    return Chat(_TYPES[kind], _bot_api_id(_TYPES[kind], chat_id), number)


def _chat(number: int | None) -> str:
    return "the chat" if number is None else f"chat {number}"


def _bot_api_id(chat_type: ChatType, chat_id: int) -> int:
    if chat_type is ChatType.SUPERGROUP:
        return -(_ID_LIMIT + chat_id)
    return -chat_id if chat_type is ChatType.GROUP else chat_id


def message_of(chat: Chat, entry: object, number: int) -> ExportedMessage | Refusal:
    """Return the message that `entry` describes, the `number`th of `chat`, or a refusal."""
    message_id = entry.get("id") if isinstance(entry, dict) else None
    place = _place(chat, message_id if _is_number(message_id) else None, number)
    if not isinstance(entry, dict):
        return Refusal(place, "is not an object")
    chat_type = _type_by(chat, message_id) if isinstance(message_id, int) else None
    if chat_type is None or not isinstance(message_id, int):
        return Refusal(place, "its id is not a valid message id")
    if not _is_text(entry.get("text", "")):
        return Refusal(place, "its text is neither text nor a list of texts")
    try:
        return _message(Chat(chat_type, chat.id, None), place, message_id, entry)
    except NestedTooDeepError as error:
        return Refusal(place, str(error))


def broken_message(chat: Chat, number: int, begins: bytes, reason: str) -> Refusal:
    """Return the refusal of the `number`th message of `chat`, which is broken, for `reason`."""
    message_id = _BEGINNING_WITH_ID.match(begins)
    return Refusal(_place(chat, int(message_id[1]) if message_id else None, number), reason)


def _place(chat: Chat, message_id: object, number: int) -> str:
    place = f"entry {number}" if message_id is None else f"message {message_id}"
    return place if chat.number is None else f"{place} of chat {chat.number}"


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**16


def _type_by(chat: Chat, message_id: int) -> ChatType | None:
    """The type of chat in which a message of that id was written, or None if the id is invalid."""
    if not _is_number(message_id):
        return None
    if message_id > 0:
        return chat.type
    moved = chat.type is ChatType.SUPERGROUP and message_id > -_MOVED
    return ChatType.GROUP if moved else None


def _is_text(text: object) -> bool:
    parts = [text] if isinstance(text, str) else text
    return isinstance(parts, list) and all(
        isinstance(each, str) or _is_marked(each) for each in parts
    )


def _is_marked(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _message(chat: Chat, place: str, message_id: int, entry: dict[str, object]) -> ExportedMessage:
    is_message = entry.get("type") == "message"
    sender_id, no_sender = _sender(entry.get("from_id" if is_message else "actor_id"))
    sent_at = _sent_at(entry.get("date_unixtime"))
    name, reply_to_id = entry.get("from"), entry.get("reply_to_message_id")
    typed = _typed_in(entry)
    is_nobodys = is_message and sender_id is None and no_sender is None
    unread = None if is_nobodys else _unread_in(entry, typed)
    no_text = _NO_TEXT if any(SPOILT in each for each in (typed.text, *typed.links)) else None
    return ExportedMessage(
        place=place,
        chat_type=chat.type,
        chat_id=chat.id,
        message_id=message_id,
        sender_id=sender_id,
        sent_at=sent_at,
        sender_name=name if isinstance(name, str) and SPOILT not in name else None,
        text=typed.text,
        links=typed.links,
        names=typed.names,
        named_ids=typed.named_ids,
        # The bot does not see which message is replied to if that is in another chat.
        reply_to_id=reply_to_id
        if isinstance(reply_to_id, int) and "reply_to_peer_id" not in entry
        else None,
        # The name of a deleted account is null, which is still a forward.
        forwarded="forwarded_from" in entry or "saved_from" in entry,
        via_bot="via_bot" in entry,
        is_unread=unread is not None,
        opens_topic=entry.get("action") == "topic_created",
        flaw=unread or no_sender or (_NO_DATE if sent_at is None else no_text),
    )


def _typed_in(entry: dict[str, object]) -> TypedText:
    if entry.get("type") == "message":
        return typed_text_of(*(entry[field] for field in _TYPED if field in entry))
    # The only service messages with a text that a person typed and no other message has.
    adds_tasks = entry.get("action") == "todo_append_tasks"
    return typed_text_of({"items": entry.get("items")}) if adds_tasks else TypedText()


def _unread_in(entry: dict[str, object], typed: TypedText) -> str | None:
    """Return why some typed text may be missing from `typed`, or None if nothing is."""
    kind = entry.get("type")
    if kind == "unsupported":
        return _NOT_EXPORTED
    if typed.text or typed.links or kind == "service":
        return None
    unknown = {field: entry[field] for field in entry.keys() - _CONTENT - _BESIDE}
    is_unread = (
        kind != "message"
        or may_hold_text(unknown, has_content=not _CONTENT.isdisjoint(entry))
        or ("rich_message" in entry and is_unknown_message(entry["rich_message"]))
    )
    return _UNKNOWN if is_unread else None


def _sender(value: object) -> tuple[int | None, str | None]:
    """Return the user who sent the message, if any, and the flaw if the sender cannot be
    determined.
    """
    if value is None:
        return None, None
    user = _USER.fullmatch(value) if isinstance(value, str) else None
    if user is not None:
        return int(user[1]), None
    is_other = isinstance(value, str) and _OTHER_SENDER.fullmatch(value)
    return None, None if is_other else _NO_SENDER


def _sent_at(value: object) -> dt.datetime | None:
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    text = str(number) if _is_number(number) else value
    if not (isinstance(text, str) and text.isascii() and _SECONDS.fullmatch(text)):
        return None
    seconds = int(text)
    return dt.datetime.fromtimestamp(seconds, dt.UTC) if seconds <= _LAST_SECOND else None


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
            f"{where}: cannot be read further: {reason_unreadable(error)}"
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
