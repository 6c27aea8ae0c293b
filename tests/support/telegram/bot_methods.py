"""The methods about the bot itself, its commands, chats and members."""

import re
from typing import Any

from tests.support.telegram.errors import bad_request, forbidden
from tests.support.telegram.http_messages import Request
from tests.support.telegram.server_state import Chat, ServerState

COMMANDS_LIMIT = 100
COMMAND = re.compile(r"[a-z0-9_]{1,32}\Z")
COMMAND_DESCRIPTION_LIMIT = 256
ANSWER_LIMIT = 200
WORDS_LIMITS = {"name": 64, "description": 512, "short_description": 120}


def get_me(state: ServerState, _request: Request) -> dict[str, Any]:
    """`getMe`."""
    return state.bot | {
        "can_join_groups": True,
        "can_read_all_group_messages": state.can_read_all_group_messages,
        "supports_inline_queries": True,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
    }


def answer_callback_query(state: ServerState, request: Request) -> bool:
    """`answerCallbackQuery`: each press is answered once."""
    query_id = str(request.parameters.get("callback_query_id", ""))
    if query_id not in state.unanswered:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if len(str(request.parameters.get("text", ""))) > ANSWER_LIMIT:
        raise bad_request("MESSAGE_TOO_LONG")
    state.unanswered.remove(query_id)
    state.answers[query_id] = request.parameters
    return True


def set_my_commands(state: ServerState, request: Request) -> bool:
    """`setMyCommands`, by scope and language."""
    commands = request.parameters.get("commands", [])
    if len(commands) > COMMANDS_LIMIT:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not COMMAND.match(command.get("command", "")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(command.get("description", "")) <= COMMAND_DESCRIPTION_LIMIT:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    state.commands[scope_of(request)] = commands
    return True


def get_my_commands(state: ServerState, request: Request) -> list[dict[str, str]]:
    """`getMyCommands`, of exactly that scope and language."""
    return state.commands.get(scope_of(request), [])


def delete_my_commands(state: ServerState, request: Request) -> bool:
    """`deleteMyCommands`."""
    state.commands.pop(scope_of(request), None)
    return True


def scope_of(request: Request) -> str:
    """The name a menu of commands is kept under, such as `default` or `chat:7`."""
    scope = request.parameters.get("scope") or {"type": "default"}
    parts = [scope.get("type", ""), scope.get("chat_id"), scope.get("user_id")]
    parts.append(request.parameters.get("language_code") or None)
    return ":".join(str(part) for part in parts if part is not None)


def set_words(state: ServerState, request: Request) -> bool:
    """`setMyName`, `setMyDescription`, `setMyShortDescription`."""
    for name, limit in WORDS_LIMITS.items():
        words = str(request.parameters.get(name, ""))
        if len(words) > limit:
            raise bad_request(f"{name} is too long")
        if name in request.parameters:
            state.words[name, request.parameters.get("language_code", "")] = words
    return True


def get_chat(state: ServerState, request: Request) -> dict[str, Any]:
    """`getChat`."""
    chat = state.reach(request.parameters.get("chat_id"))
    return chat.shown() | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(_GIFTS, False),
    }


_GIFTS = (
    "unlimited_gifts",
    "limited_gifts",
    "unique_gifts",
    "premium_subscription",
    "gifts_from_channels",
)


def get_chat_member(state: ServerState, request: Request) -> dict[str, Any]:
    """`getChatMember`."""
    chat = state.reach(request.parameters.get("chat_id"))
    user_id = request.parameters.get("user_id", 0)
    if user_id not in state.users:
        raise bad_request("PARTICIPANT_ID_INVALID")
    return member(state, chat, user_id)


def get_chat_administrators(state: ServerState, request: Request) -> list[dict[str, Any]]:
    """`getChatAdministrators`: people only, bots are left out but for this one."""
    chat = state.reach(request.parameters.get("chat_id"))
    if chat.type == "private":
        raise bad_request("there are no administrators in the private chat")
    return [member(state, chat, user_id) for user_id in chat.members if chat.is_admin(user_id)]


def leave_chat(state: ServerState, request: Request) -> bool:
    """`leaveChat`: groups and channels only."""
    chat = state.reach(request.parameters.get("chat_id"))
    if chat.type == "private":
        raise forbidden("bot can't leave a private chat")
    chat.members[state.bot_id] = "left"
    return True


_ADMINISTRATORS = (
    "can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages",
    "can_manage_video_chats", "can_restrict_members", "can_promote_members", "can_change_info",
    "can_invite_users", "can_post_stories", "can_edit_stories", "can_delete_stories",
)  # fmt: skip
_RESTRICTIONS = (
    "can_send_messages", "can_send_audios", "can_send_documents", "can_send_photos",
    "can_send_videos", "can_send_video_notes", "can_send_voice_notes", "can_send_polls",
    "can_send_other_messages", "can_add_web_page_previews", "can_react_to_messages",
    "can_edit_tag", "can_change_info", "can_invite_users", "can_pin_messages",
    "can_manage_topics",
)  # fmt: skip


def member(state: ServerState, chat: Chat, user_id: int) -> dict[str, Any]:
    """A ChatMember, whole."""
    status = chat.members.get(user_id, "left")
    known: dict[str, Any] = {"status": status, "user": state.users[user_id]}
    if status == "creator":
        return known | {"is_anonymous": False}
    if status == "administrator":
        return known | dict.fromkeys(_ADMINISTRATORS, True) | {"is_anonymous": False}
    if status == "restricted":
        return known | dict.fromkeys(_RESTRICTIONS, False) | {"is_member": True, "until_date": 0}
    return known | ({"until_date": 0} if status == "kicked" else {})
