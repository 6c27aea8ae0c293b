"""Telegram's time: the dates of its answers and of new messages."""

import email.utils
from collections.abc import Callable
from typing import Any

import telegram
from telegram.ext import Application, TypeHandler

from ledger.instants import Instant, instant_of

Hear = Callable[[str, Instant], object]
"""Takes a source's name and the time that it gives."""

ANSWERS, MESSAGES = "answers", "messages"

_BEFORE_ALL = -1
"""The group of a handler that sees every update, in addition to other handlers."""


def dated_by(hear: Hear) -> dict[str, Any]:
    """Return httpx options that read the date of each answer."""

    async def on_answer(answer: Any) -> None:  # noqa: ANN401 - httpx is the library's own business
        try:
            date = email.utils.parsedate_to_datetime(answer.headers.get("Date", ""))
            hear(ANSWERS, instant_of(date))
        except ValueError:
            return  # a server that does not say

    return {"event_hooks": {"response": [on_answer]}}


def listen(application: Application[Any, Any, Any, Any, Any, Any], hear: Hear) -> None:
    """Read the date of each new message, which comes from Telegram's clock, not the sender's."""

    async def on_update(update: telegram.Update, _: object) -> None:
        if update.message is not None:
            hear(MESSAGES, instant_of(update.message.date))

    application.add_handler(TypeHandler(telegram.Update, on_update), _BEFORE_ALL)
