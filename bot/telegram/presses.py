"""Answers to presses on buttons: acknowledging them, and editing their messages."""

from contextlib import suppress
from functools import partial

import telegram
from telegram.constants import ParseMode
from telegram.error import BadRequest, TelegramError

from bot.answers.reply import Reply
from bot.language import words
from bot.telegram.sending import Address, Sent, keyboard, persistently, send


async def acknowledge(
    query: telegram.CallbackQuery, text: str | None = None, *, is_alert: bool = False
) -> None:
    """Let Telegram stop waiting for the answer to a press, and show `text` for a moment."""
    # Telegram accepts this answer only for seconds; the press is processed regardless.
    with suppress(TelegramError):
        await query.answer(text, show_alert=is_alert)


async def refuse(query: telegram.CallbackQuery) -> None:
    """Say that the button is for another person."""
    await acknowledge(query, words.NOT_YOURS, is_alert=True)


async def replace(query: telegram.CallbackQuery, reply: Reply) -> None:
    """Change the message with the button into `reply`, or send that where it cannot be changed."""
    if not isinstance(query.message, telegram.Message):  # too old to be edited
        await send(query.get_bot(), Address(query.from_user.id), reply)
        return
    try:
        await _edit(query, reply)
    except BadRequest:  # it is unchanged, or too old to be edited
        await send(query.get_bot(), Address(query.from_user.id), reply)


async def edit_message(
    query: telegram.CallbackQuery, message: telegram.Message, reply: Reply
) -> Sent:
    """Change the message with the button into `reply`, unless it cannot be changed."""
    with suppress(BadRequest):  # it says the same already
        await _edit(query, reply)
    return Sent(message.chat.id, (message.message_id,))


async def _edit(query: telegram.CallbackQuery, reply: Reply) -> None:
    await persistently(
        partial(
            query.edit_message_text,
            reply.html,
            parse_mode=ParseMode.HTML,
            reply_markup=keyboard(reply.buttons),
        )
    )
