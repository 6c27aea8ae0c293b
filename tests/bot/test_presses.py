"""Presses that come late: Telegram takes no acknowledgement any more, or no change of a message."""

import asyncio
from typing import Any

import pytest
import telegram
from telegram.error import BadRequest

from tests.support.trials.hostile_updates import BOT, TODAY
from tests.support.trials.whole_bot import WholeBot


def press(data: str, *, message: bool = True, date: int = TODAY) -> dict[str, Any]:
    """An update of a press; with the date 0 on a message that can no longer be changed."""
    ana = {"id": 1001, "is_bot": False, "first_name": "Ana"}
    chat = {"id": 1001, "type": "private", "first_name": "Ana"}
    query = {"id": "1", "from": ana, "chat_instance": "x", "data": data}
    pressed = {"message_id": 1, "date": date, "chat": chat, "from": BOT, "text": "x"}
    return {"update_id": 1, "callback_query": query | ({"message": pressed} if message else {})}


def answered(folder, update: dict[str, Any]) -> list[str]:
    """The requests after a press, none of which fails."""

    async def play() -> WholeBot:
        async with WholeBot(folder) as talk:
            await talk.hears([update])
        return talk

    talk = asyncio.run(play())
    assert talk.reader.complaints == []
    assert [record.getMessage() for record in talk.worries.records] == []
    return talk.reader.read


@pytest.mark.parametrize(
    ("data", "answer"),
    [("card:AI-1", "AI-1 · score"), ("forget:1001", "Done. What was recorded about you")],
)
def test_what_was_pressed_for_is_done_though_it_is_too_late_to_acknowledge(
    tmp_path, monkeypatch, data, answer
):
    async def refuse(*_: object, **__: object) -> bool:
        raise BadRequest("Query is too old and response timeout expired or query id is invalid")

    monkeypatch.setattr(telegram.CallbackQuery, "answer", refuse)
    (text,) = answered(tmp_path, press(data))
    assert text.startswith(answer)


@pytest.mark.parametrize("how", [{"date": 0}, {"message": False}], ids=["too old", "gone"])
@pytest.mark.parametrize(
    ("data", "answer"),
    [("keep:1001", "Nothing was deleted."), ("forget:1001", "Done. What was recorded about you")],
)
def test_an_answer_that_cannot_replace_the_question_is_sent(tmp_path, how, data, answer):
    (text,) = answered(tmp_path, press(data, **how))
    assert text.startswith(answer)
