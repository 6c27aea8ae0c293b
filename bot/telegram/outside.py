"""Telegram's clock, read from the dates of its HTTP responses and of new messages."""

import email.utils
from collections.abc import Callable
from typing import Any

import telegram
from telegram.ext import Application, TypeHandler

from ledger.instants import Instant, instant_of

Hear = Callable[[str, Instant], object]
"""Takes the name of a source and its time."""

ANSWERS, MESSAGES = "answers", "messages"

_BEFORE_ALL = -1
"""A handler group of its own, so that its handler sees every update in addition to others."""


def dated_by(hear: Hear) -> dict[str, Any]:
    """Options for httpx that read the date of each response."""

    async def on_answer(answer: Any) -> None:  # noqa: ANN401 - httpx is the library's own business
        try:
            date = email.utils.parsedate_to_datetime(answer.headers.get("Date", ""))
            hear(ANSWERS, instant_of(date))
        except ValueError:
            return  # the response has no usable date

    return {"event_hooks": {"response": [on_answer]}}


def listen(application: Application[Any, Any, Any, Any, Any, Any], hear: Hear) -> None:
    """Read the date of each new message, which is by Telegram's clock, not the sender's."""

    async def on_update(update: telegram.Update, _: object) -> None:
        if update.message is not None:
            hear(MESSAGES, instant_of(update.message.date))

    application.add_handler(TypeHandler(telegram.Update, on_update), _BEFORE_ALL)
