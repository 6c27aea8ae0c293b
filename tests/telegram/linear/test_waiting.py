"""However long Linear takes, what is sent first waits for it for less than two seconds."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.cli import titles
from bot.linear.client import Linear
from bot.linear.issue import Unknown
from bot.listening.bot_commands import CARDS, Asked
from bot.telegram.look_ups import LookUps
from bot.telegram.sending import Outbox
from tests.support.linear_client_and_server import ClientAndServer, Scripted, run_with_server

AT_MOST_SECONDS = 1.5
"""The rest of two seconds is for reading the ledger and sending."""
KEYS = ("AI-1799", "WEB-7")

First = Callable[[LookUps], Awaitable[object]]
FIRST: dict[str, First] = {
    "cards": lambda look_ups: look_ups.known(Asked(CARDS, KEYS)),
    "titles": lambda look_ups: look_ups.titles(KEYS),
}


@pytest.mark.parametrize("what", FIRST)
def test_what_is_sent_first_waits_less_than_two_seconds(what, monkeypatch):
    waited: list[float | None] = []
    wait = asyncio.wait

    async def noted(tasks, *, timeout=None):  # noqa: ASYNC109 - the library's own signature
        waited.append(timeout)
        return await wait(tasks, timeout=0)

    async def steps(pair: ClientAndServer) -> None:
        pair.local.script.append(Scripted(held=True))
        monkeypatch.setattr(asyncio, "wait", noted)
        await FIRST[what](LookUps(pair.linear, Outbox()))
        monkeypatch.undo()

    run_with_server(steps)
    assert waited
    assert all(each is not None and each <= AT_MOST_SECONDS for each in waited)


def test_a_list_of_the_command_line_waits_no_longer():
    assert titles.TITLE_SECONDS <= AT_MOST_SECONDS


def test_a_time_limit_ends_the_waiting_and_not_the_look_up():
    async def steps(pair: ClientAndServer) -> None:
        pair.local.script.append(Scripted(held=True))
        linear: Linear = pair.linear
        answers = await linear.look_up(KEYS, 0.01)
        assert answers == dict.fromkeys(KEYS, Unknown(is_pending=True))
        assert linear.is_looking_for(KEYS)

    run_with_server(steps)
