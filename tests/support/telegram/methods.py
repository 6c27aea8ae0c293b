"""Which function plays which method."""

from collections.abc import Callable
from typing import Any

from tests.support.telegram import bot_methods, inline_methods, message_methods


def _elsewhere(*_: object) -> None:
    raise AssertionError("the server itself answers this method")


METHODS: dict[str, Callable[..., Any]] = {
    "getUpdates": _elsewhere,
    "setWebhook": _elsewhere,
    "deleteWebhook": _elsewhere,
    "getWebhookInfo": _elsewhere,
    "getMe": bot_methods.get_me,
    "sendMessage": message_methods.send_message,
    "sendPhoto": message_methods.send_photo,
    "sendDocument": message_methods.send_document,
    "sendChatAction": message_methods.send_chat_action,
    "editMessageText": message_methods.edit_message_text,
    "editMessageReplyMarkup": message_methods.edit_message_reply_markup,
    "deleteMessage": message_methods.delete_message,
    "answerCallbackQuery": bot_methods.answer_callback_query,
    "answerInlineQuery": inline_methods.answer_inline_query,
    "answerGuestQuery": inline_methods.answer_guest_query,
    "setMyCommands": bot_methods.set_my_commands,
    "getMyCommands": bot_methods.get_my_commands,
    "deleteMyCommands": bot_methods.delete_my_commands,
    "setMyName": bot_methods.set_words,
    "setMyDescription": bot_methods.set_words,
    "setMyShortDescription": bot_methods.set_words,
    "leaveChat": bot_methods.leave_chat,
    "getChat": bot_methods.get_chat,
    "getChatMember": bot_methods.get_chat_member,
    "getChatAdministrators": bot_methods.get_chat_administrators,
}
