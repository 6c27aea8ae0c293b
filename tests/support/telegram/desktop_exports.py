"""Exports as Telegram Desktop writes them, of the chats of a fake server."""

import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from tests.support.telegram.server_state import Message

_MARKS = {
    "mention": "mention",
    "text_mention": "mention_name",
    "text_link": "text_link",
    "url": "link",
    "bot_command": "bot_command",
}
_SERVICES = {
    "forum_topic_created": "topic_created",
    "new_chat_members": "invite_members",
    "left_chat_member": "remove_members",
    "pinned_message": "pin_message",
    "migrate_to_chat_id": "migrate_to_supergroup",
    "migrate_from_chat_id": "migrate_from_group",
}
_SUPERGROUPS = 10**12

Line = dict[str, Any]


def line_of(message: Message) -> Line:
    """The entry of a message, given as the Bot API gives it."""
    sent_at = datetime.fromtimestamp(message["date"], UTC)
    action = next((action for field, action in _SERVICES.items() if field in message), None)
    line: Line = {
        "id": message["message_id"],
        "type": "message" if action is None else "service",
        "date": f"{sent_at:%Y-%m-%dT%H:%M:%S}",
        "date_unixtime": str(message["date"]),
    }
    if "edit_date" in message:
        line |= {"edited": line["date"], "edited_unixtime": str(message["edit_date"])}
    prefix = "from" if action is None else "actor"
    line |= {prefix: _name_of(message), f"{prefix}_id": _sender_of(message)}
    line |= {} if action is None else {"action": action}
    if "forward_origin" in message:
        line["forwarded_from"] = None  # as of who deleted the account since
    if "via_bot" in message:
        line["via_bot"] = f"@{message['via_bot']['username']}"
    if "reply_to_message" in message:
        line["reply_to_message_id"] = message["reply_to_message"]["message_id"]
    parts = list(_parts(message))
    plain = not parts or (len(parts) == 1 and isinstance(parts[0], str))
    whole = [{"type": "plain", "text": each} if isinstance(each, str) else each for each in parts]
    return line | {"text": "".join(parts) if plain else parts, "text_entities": whole}


def _name_of(message: Message) -> str | None:
    named = message.get("sender_chat") or message.get("from") or {}
    name: str | None = named.get("title") or named.get("first_name")
    return name


def _sender_of(message: Message) -> str:
    if "sender_chat" in message:
        return f"channel{-message['sender_chat']['id'] - _SUPERGROUPS}"
    return f"user{message['from']['id']}"


def _parts(message: Message) -> Iterator[Any]:
    text = str(message.get("text", message.get("caption", "")))
    units = text.encode("utf-16-le", "surrogatepass")
    at = 0
    for entity in message.get("entities") or message.get("caption_entities") or ():
        start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
        if start < at or entity["type"] not in _MARKS:
            continue
        if start > at:
            yield units[at:start].decode("utf-16-le", "surrogatepass")
        yield _marked(entity, units[start:end].decode("utf-16-le", "surrogatepass"))
        at = end
    if at < len(units):
        yield units[at:].decode("utf-16-le", "surrogatepass")


def _marked(entity: dict[str, Any], text: str) -> Line:
    mark: Line = {"type": _MARKS[entity["type"]], "text": text}
    if entity["type"] == "text_link":
        mark["href"] = entity["url"]
    if entity["type"] == "text_mention":
        mark["user_id"] = entity["user"]["id"]
    return mark


def chat_of(chat_id: int, type_: str, lines: Iterable[Line], name: str | None = "Team") -> Line:
    """A chat of an export, whose id is given as the Bot API gives it."""
    bare = -chat_id - _SUPERGROUPS if chat_id < -_SUPERGROUPS else abs(chat_id)
    return {"name": name, "type": type_, "id": bare, "messages": list(lines)}


def supergroup_of(chat_id: int, messages: Iterable[Message]) -> Line:
    """The chat that holds these messages."""
    return chat_of(chat_id, "private_supergroup", map(line_of, messages))


def full_export(*chats: Line, left: Iterable[Line] = ()) -> Line:
    """An export of everything."""
    return {
        "about": "Here is the data you requested.",
        "personal_information": {"user_id": 1001, "first_name": "Ana"},
        "contacts": {"about": "", "list": [{"user_id": 1002, "first_name": "Bob"}]},
        "chats": {"about": "This page lists all chats.", "list": list(chats)},
        "left_chats": {"about": "", "list": list(left)},
        "other_data": {"deep": [[[{"list": [{"messages": [{"id": 1}]}]}]]]},
    }


def written(export: Line) -> bytes:
    """The bytes of an export."""
    return json.dumps(export, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass")


def stream_of(content: bytes) -> io.BufferedReader:
    """A file that holds these bytes."""
    return io.BufferedReader(io.BytesIO(content))
