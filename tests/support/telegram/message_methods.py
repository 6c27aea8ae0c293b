"""The methods that send, change and delete messages."""

import struct
from itertools import count
from typing import Any

from tests.support.telegram import entities
from tests.support.telegram.entities import CAPTION_LIMIT, TEXT_LIMIT, Parsed, refuse_length
from tests.support.telegram.errors import bad_request
from tests.support.telegram.http_messages import Request, Upload
from tests.support.telegram.keyboards import refuse_markup
from tests.support.telegram.server_state import Chat, Message, Sent, ServerState, in_thread

PHOTO_BYTES_LIMIT = 10 * 1024 * 1024
FILE_BYTES_LIMIT = 50 * 1024 * 1024
PHOTO_SIDES_LIMIT = 10_000
PHOTO_RATIO_LIMIT = 20
DELETABLE_SECONDS = 48 * 3600
PNG = b"\x89PNG\r\n\x1a\n"

_file_numbers = count(1)


def send_message(state: ServerState, request: Request) -> Message:
    """`sendMessage`."""
    chat = state.reach(request.parameters.get("chat_id"))
    parsed = _parsed(state, request, "text", "entities")
    refuse_length(parsed.text, TEXT_LIMIT)
    content = {"text": parsed.text} | _entities("entities", parsed)
    return _sent(state, chat, request, content)


def send_photo(state: ServerState, request: Request) -> Message:
    """`sendPhoto`: of an uploaded file, or one sent before."""
    chat = state.reach(request.parameters.get("chat_id"))
    upload = _uploaded(state, request, "photo")
    width, height = _refuse_photo(upload)
    size = {"width": width, "height": height, "file_size": len(upload.content)}
    content = {"photo": [_file_ids() | size]} | _caption(state, request)
    return _sent(state, chat, request, content, upload)


def send_document(state: ServerState, request: Request) -> Message:
    """`sendDocument`: of an uploaded file, or one sent before."""
    chat = state.reach(request.parameters.get("chat_id"))
    upload = _uploaded(state, request, "document")
    about = {
        "file_name": upload.name,
        "mime_type": upload.content_type,
        "file_size": len(upload.content),
    }
    content = {"document": _file_ids() | about} | _caption(state, request)
    return _sent(state, chat, request, content, upload)


def edit_message_text(state: ServerState, request: Request) -> Message:
    """`editMessageText`, of the bot's own texts."""
    sent = _own(state, request, "message to edit not found", "message can't be edited")
    parsed = _parsed(state, request, "text", "entities")
    refuse_length(parsed.text, TEXT_LIMIT)
    if "text" not in sent.message:
        raise bad_request("there is no text in the message to edit")
    content = {"text": parsed.text} | _entities("entities", parsed)
    kept = {k: v for k, v in sent.message.items() if k not in {"entities", "reply_markup"}}
    _change(state, sent, request, kept | content)
    sent.html = str(request.parameters["text"])
    return sent.message


def edit_message_reply_markup(state: ServerState, request: Request) -> Message:
    """`editMessageReplyMarkup`: without a markup the buttons go."""
    sent = _own(state, request, "message to edit not found", "message can't be edited")
    kept = {k: v for k, v in sent.message.items() if k != "reply_markup"}
    _change(state, sent, request, kept)
    return sent.message


def delete_message(state: ServerState, request: Request) -> bool:
    """`deleteMessage`: the bot's own, or others' in groups that it administers."""
    chat = state.reach(request.parameters.get("chat_id"))
    message = chat.messages.get(request.parameters.get("message_id", 0))
    if message is None:
        raise bad_request("message to delete not found")
    own = message.get("from", {}).get("id") == state.bot_id
    too_old = state.seconds() - message["date"] > DELETABLE_SECONDS
    if not (own or chat.type == "private" or chat.is_admin(state.bot_id)) or too_old:
        raise bad_request("message can't be deleted for everyone")
    del chat.messages[message["message_id"]]
    for sent in state.sent:
        if sent.message is message:
            sent.deleted = True
    return True


def send_chat_action(state: ServerState, request: Request) -> bool:
    """`sendChatAction`."""
    _refuse_thread(state.reach(request.parameters.get("chat_id")), request)
    if request.parameters.get("action") not in {"typing", "upload_photo", "upload_document"}:
        raise bad_request("wrong parameter action in request")
    return True


def _parsed(state: ServerState, request: Request, text: str, given: str) -> Parsed:
    parameters = request.parameters
    parsed = entities.read(
        str(parameters.get(text, "")), parameters.get("parse_mode"), parameters.get(given)
    )
    if not parsed.ampersands_escaped:  # Telegram takes it, and shows a typed &lt; as <
        state.complaints.append(f"{request.method}: an ampersand is not escaped")
    return parsed


def _entities(name: str, parsed: Parsed) -> dict[str, Any]:
    return {name: parsed.entities} if parsed.entities else {}


def _caption(state: ServerState, request: Request) -> dict[str, Any]:
    parsed = _parsed(state, request, "caption", "caption_entities")
    refuse_length(parsed.text, CAPTION_LIMIT)
    said = {"caption": parsed.text} if parsed.text else {}
    return said | _entities("caption_entities", parsed)


def _sent(
    state: ServerState,
    chat: Chat,
    request: Request,
    content: dict[str, Any],
    upload: Upload | None = None,
) -> Message:
    parameters = request.parameters
    if not chat.bot_may_post:
        raise bad_request("not enough rights to send text messages to the chat")
    thread = _refuse_thread(chat, request)
    refuse_markup(parameters.get("reply_markup"))
    place = in_thread(chat, thread, _replied(chat, parameters.get("reply_parameters")))
    sender = {"sender_chat": chat.shown()} if chat.type == "channel" else {"from": state.bot}
    markup = _inline(parameters.get("reply_markup"))
    message = state.post(chat, **sender, **place, **content, **markup)
    html = str(parameters.get("text", parameters.get("caption", "")))
    state.sent.append(Sent(message, html, upload))
    return message


def _inline(markup: dict[str, Any] | None) -> dict[str, Any]:
    rows = [row for row in (markup or {}).get("inline_keyboard", []) if row]
    return {"reply_markup": {"inline_keyboard": rows}} if rows else {}


def _refuse_thread(chat: Chat, request: Request) -> int | None:
    thread = request.parameters.get("message_thread_id")
    if thread is None:
        return None
    if thread not in chat.topics:
        raise bad_request("message thread not found")
    if thread in chat.closed_topics:
        raise bad_request("TOPIC_CLOSED")
    return int(thread)


def _replied(chat: Chat, reply: dict[str, Any] | None) -> Message | None:
    if not reply:
        return None
    message = chat.messages.get(reply.get("message_id", 0))
    if message is None and not reply.get("allow_sending_without_reply"):
        raise bad_request("message to be replied not found")
    return message


def _own(state: ServerState, request: Request, missing: str, foreign: str) -> Sent:
    chat = state.reach(request.parameters.get("chat_id"))
    message = chat.messages.get(request.parameters.get("message_id", 0))
    if message is None:
        raise bad_request(missing)
    for sent in reversed(state.sent):
        if sent.message is message:
            return sent
    raise bad_request(foreign)


def _change(state: ServerState, sent: Sent, request: Request, content: dict[str, Any]) -> None:
    refuse_markup(request.parameters.get("reply_markup"))
    markup = _inline(request.parameters.get("reply_markup"))
    before = {k: v for k, v in sent.message.items() if k != "edit_date"}
    after = {k: v for k, v in content.items() if k != "edit_date"} | markup
    if after == before:
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly "
            "the same as a current content and reply markup of the message"
        )
    sent.edits.append(sent.text)
    sent.message = after | {"edit_date": state.seconds()}
    state.chats[sent.chat_id].messages[sent.message_id] = sent.message


def _uploaded(state: ServerState, request: Request, name: str) -> Upload:
    value = request.parameters.get(name)
    upload = request.files.get(name)
    if isinstance(value, str) and value.startswith("attach://"):
        upload = request.files.get(value.removeprefix("attach://"))
    elif value is not None:
        upload = next((s.file for s in state.sent if value in _ids_of(s.message)), None)
        if upload is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
    if upload is None:
        raise bad_request(f"there is no {name} in the request")
    if not upload.content:
        raise bad_request("file must be non-empty")
    if len(upload.content) > FILE_BYTES_LIMIT:
        raise bad_request("file is too big")
    return upload


def _ids_of(message: Message) -> set[str]:
    files = [*message.get("photo", []), message.get("document", {})]
    return {file["file_id"] for file in files if file}


def _file_ids() -> dict[str, str]:
    number = next(_file_numbers)
    return {"file_id": f"file-{number}", "file_unique_id": f"unique-{number}"}


def _refuse_photo(upload: Upload) -> tuple[int, int]:
    if not upload.content.startswith(PNG) or len(upload.content) < 24:
        raise bad_request("IMAGE_PROCESS_FAILED")
    width, height = struct.unpack(">II", upload.content[16:24])
    if len(upload.content) > PHOTO_BYTES_LIMIT:
        raise bad_request("file is too big")
    too_long = max(width, height) > PHOTO_RATIO_LIMIT * min(width, height)
    if width + height > PHOTO_SIDES_LIMIT or too_long:
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return width, height
