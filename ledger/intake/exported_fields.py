"""What the fields of a chat and of a message in Telegram Desktop's export say."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import NamedTuple

from ledger.exported_message import ChatType, ExportedMessage
from ledger.intake.exported_text import SPOILT
from ledger.intake.history import Refusal, UnreadableHistoryError

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
"""What is taken from the message ids of a basic group in the export of its supergroup."""

_USER = re.compile(r"user([1-9][0-9]{0,15})")
_OTHER_SENDER = re.compile(r"(?:channel|chat)[0-9]{1,16}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_LAST_SECOND = 253_402_300_799

_NEW_EXPORT = "export the chat again with a present Telegram Desktop"
_NO_DATE = f"it has no date_unixtime, and its date has no zone; {_NEW_EXPORT}"
_NO_TEXT = (
    "its text holds what is no character: bytes that are no UTF-8, or half of a surrogate pair"
)
_NO_SENDER = f"its from_id is not of the form user123; {_NEW_EXPORT}"


class Chat(NamedTuple):
    """A chat in which people talk; `number` says the how manieth it is in a full export."""

    type: ChatType
    id: int
    number: int | None


def chat_of(header: dict[str, object], number: int | None) -> Chat | Refusal | None:
    """Return the chat of which these are the type and the id, or None: nothing of people's.

    Raises UnreadableHistoryError where one of them is missing, as it stands after the messages.
    """
    kind, chat_id = header.get("type"), header.get("id")
    if not (isinstance(kind, str) and isinstance(chat_id, int)):
        message = "the type and the id of a chat must come before its messages"
        raise UnreadableHistoryError(f"{_chat(number)}: {message}")
    if kind in _WITHOUT_PEOPLE:
        return None
    if kind not in _TYPES:
        return Refusal(_chat(number), "its type is none that Telegram Desktop writes")
    if not 0 < chat_id < _ID_LIMIT:
        return Refusal(_chat(number), f"its id is no number from 1 to {_ID_LIMIT - 1}")
    return Chat(_TYPES[kind], _bot_api_id(_TYPES[kind], chat_id), number)


def _chat(number: int | None) -> str:
    return "the chat" if number is None else f"chat {number}"


def _bot_api_id(chat_type: ChatType, chat_id: int) -> int:
    if chat_type is ChatType.SUPERGROUP:
        return -(_ID_LIMIT + chat_id)
    return -chat_id if chat_type is ChatType.GROUP else chat_id


def message_of(chat: Chat, entry: object, number: int) -> ExportedMessage | Refusal:
    """Return the message that `entry` describes, the `number`th of `chat`, or why it is none."""
    message_id = entry.get("id") if isinstance(entry, dict) else None
    place = f"message {message_id}" if _is_number(message_id) else f"entry {number}"
    if chat.number is not None:
        place += f" of chat {chat.number}"
    if not isinstance(entry, dict):
        return Refusal(place, "is no object")
    chat_type = _type_by(chat, message_id) if isinstance(message_id, int) else None
    if chat_type is None or not isinstance(message_id, int):
        return Refusal(place, "its id is no number that a message can have")
    parts = _parts(entry.get("text", ""))
    if parts is None:
        return Refusal(place, "its text is neither text nor a list of texts")
    return _message(Chat(chat_type, chat.id, None), place, message_id, entry, parts)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**16


def _type_by(chat: Chat, message_id: int) -> ChatType | None:
    """Return in what a message of that id was written, or None where there cannot be one."""
    if not _is_number(message_id):
        return None
    if message_id > 0:
        return chat.type
    moved = chat.type is ChatType.SUPERGROUP and message_id > -_MOVED
    return ChatType.GROUP if moved else None


Part = str | dict[str, object]


def _parts(text: object) -> list[Part] | None:
    parts = [text] if isinstance(text, str) else text
    if not isinstance(parts, list):
        return None
    good = all(isinstance(each, str) or _is_marked(each) for each in parts)
    return parts if good else None


def _is_marked(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _message(
    chat: Chat, place: str, message_id: int, entry: dict[str, object], parts: list[Part]
) -> ExportedMessage:
    is_service = entry.get("type") != "message"
    sender_id, no_sender = _sender(entry.get("actor_id" if is_service else "from_id"))
    sent_at = _sent_at(entry.get("date_unixtime"))
    name, reply_to_id = entry.get("from"), entry.get("reply_to_message_id")
    marked = [each for each in parts if not isinstance(each, str)]
    text = "".join(each if isinstance(each, str) else str(each["text"]) for each in parts)
    links = tuple(_texts(marked, "text_link", "href"))
    no_text = _NO_TEXT if any(SPOILT in each for each in (text, *links)) else None
    return ExportedMessage(
        place=place,
        chat_type=chat.type,
        chat_id=chat.id,
        message_id=message_id,
        sender_id=sender_id,
        sent_at=sent_at,
        sender_name=name if isinstance(name, str) and SPOILT not in name else None,
        text=text,
        links=links,
        names=(*_texts(marked, "mention", "text"), *_texts(marked, "mention_name", "text")),
        named_ids=tuple(_named_ids(marked)),
        # In another chat, the bot is not told what is replied to.
        reply_to_id=reply_to_id
        if isinstance(reply_to_id, int) and "reply_to_peer_id" not in entry
        else None,
        # A name of who was deleted is null, and it is a forward all the same.
        forwarded="forwarded_from" in entry or "saved_from" in entry,
        via_bot="via_bot" in entry,
        is_service=is_service,
        opens_topic=entry.get("action") == "topic_created",
        flaw=no_sender or (_NO_DATE if sent_at is None else no_text),
    )


def _texts(marked: list[dict[str, object]], kind: str, field: str) -> Iterator[str]:
    for part in marked:
        value = part.get(field)
        if part.get("type") == kind and isinstance(value, str):
            yield value


def _named_ids(marked: list[dict[str, object]]) -> Iterator[int]:
    for part in marked:
        user_id = part.get("user_id")
        if part.get("type") == "mention_name" and isinstance(user_id, int):
            yield user_id


def _sender(value: object) -> tuple[int | None, str | None]:
    """Return the user who sent it, if it was one, and what is wrong if nobody can tell."""
    if value is None:
        return None, None
    user = _USER.fullmatch(value) if isinstance(value, str) else None
    if user is not None:
        return int(user[1]), None
    is_other = isinstance(value, str) and _OTHER_SENDER.fullmatch(value)
    return None, None if is_other else _NO_SENDER


def _sent_at(value: object) -> dt.datetime | None:
    if not (isinstance(value, str) and value.isascii() and _SECONDS.fullmatch(value)):
        return None
    seconds = int(value)
    return dt.datetime.fromtimestamp(seconds, dt.UTC) if seconds <= _LAST_SECOND else None
