"""Inline keyboards, refused where Telegram refuses them."""

import re
from typing import Any

from tests.support.telegram.errors import bad_request

BUTTONS_LIMIT = 100
CALLBACK_DATA_LIMIT = 64

_ADDRESS = re.compile(
    r"(?:https?://[^\s/.]+(?:\.[^\s/.]+)+(?:[/?#]\S*)?|tg://\S+)\Z", re.IGNORECASE
)
_LOCAL_ADDRESS = re.compile(r"https?://(?:localhost|127\.0\.0\.1)\b")
_ACTIONS = frozenset({
    "callback_data", "url", "web_app", "login_url", "switch_inline_query",
    "switch_inline_query_current_chat", "switch_inline_query_chosen_chat", "copy_text",
    "callback_game", "pay",
})  # fmt: skip


def refuse_markup(markup: dict[str, Any] | None) -> None:
    """400 for a button without words or action, with too much data or a wrong address."""
    if not markup or "inline_keyboard" not in markup:
        return
    buttons = [button for row in markup["inline_keyboard"] for button in row]
    if len(buttons) > BUTTONS_LIMIT:
        raise bad_request("reply markup is too long")
    for button in buttons:
        _refuse_button(button)


def _refuse_button(button: dict[str, Any]) -> None:
    if not str(button.get("text", "")).strip():
        raise bad_request("inline keyboard button text must be non-empty")
    actions = _ACTIONS & button.keys()
    if len(actions) != 1:
        raise bad_request("Text buttons are unallowed in the inline keyboard")
    data = button.get("callback_data")
    if data is not None and not 1 <= len(data.encode()) <= CALLBACK_DATA_LIMIT:
        raise bad_request("BUTTON_DATA_INVALID")
    url = button.get("url")
    if url is not None and (not _ADDRESS.match(url) or _LOCAL_ADDRESS.match(url)):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
