"""Which function plays which method."""

from collections.abc import Callable
from typing import Any

from tests.telegram import managing, sending


def _elsewhere(*_: object) -> None:
    raise AssertionError("the server itself answers this method")


METHODS: dict[str, Callable[..., Any]] = {
    "getUpdates": _elsewhere,
    "setWebhook": _elsewhere,
    "deleteWebhook": _elsewhere,
    "getWebhookInfo": _elsewhere,
    "getMe": managing.get_me,
    "sendMessage": sending.send_message,
    "sendPhoto": sending.send_photo,
    "sendDocument": sending.send_document,
    "sendChatAction": sending.send_chat_action,
    "editMessageText": sending.edit_message_text,
    "editMessageReplyMarkup": sending.edit_message_reply_markup,
    "deleteMessage": sending.delete_message,
    "answerCallbackQuery": managing.answer_callback_query,
    "setMyCommands": managing.set_my_commands,
    "getMyCommands": managing.get_my_commands,
    "deleteMyCommands": managing.delete_my_commands,
    "setMyName": managing.set_words,
    "setMyDescription": managing.set_words,
    "setMyShortDescription": managing.set_words,
    "leaveChat": managing.leave_chat,
    "getChat": managing.get_chat,
    "getChatMember": managing.get_chat_member,
    "getChatAdministrators": managing.get_chat_administrators,
}
