"""What Telegram says the time is: the dates of its answers, and of the messages it hands out."""

import email.utils
from collections.abc import Callable
from typing import Any

import telegram
from telegram.ext import Application, TypeHandler

from ledger.instants import Instant, instant_of

Hear = Callable[[str, Instant], object]
"""Takes a source's name and what it says the present is."""

ANSWERS, MESSAGES = "answers", "messages"

_BEFORE_ALL = -1
"""The group of a handler that sees every update, whoever handles it."""


def dated_by(hear: Hear) -> dict[str, Any]:
    """Return the options of httpx that let the date of each answer be heard."""

    async def on_answer(answer: Any) -> None:  # noqa: ANN401 - httpx is the library's own business
        try:
            date = email.utils.parsedate_to_datetime(answer.headers.get("Date", ""))
            hear(ANSWERS, instant_of(date))
        except ValueError:
            return  # a server that does not say

    return {"event_hooks": {"response": [on_answer]}}


def listen(application: Application[Any, Any, Any, Any, Any, Any], hear: Hear) -> None:
    """Let the date of each new message be heard: Telegram's clock gave it, not the sender's."""

    async def on_update(update: telegram.Update, _: object) -> None:
        if update.message is not None:
            hear(MESSAGES, instant_of(update.message.date))

    application.add_handler(TypeHandler(telegram.Update, on_update), _BEFORE_ALL)
