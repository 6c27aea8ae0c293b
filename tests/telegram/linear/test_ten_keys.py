"""A message to the bot that names ten issues: few requests, in private and in a group."""

import pytest

from bot.linear.demo.workspace import Invented
from ledger.instants import moment_of
from tests.support.linear_server import LinearServer
from tests.support.strategies import NOON

TEN = [f"AI-{number}" for number in range(1, 8)] + ["WEB-31", "WEB-32", "WEB-33"]


@pytest.fixture
def linear(linear: LinearServer) -> LinearServer:
    """The local Linear, with these issues too."""
    for key in TEN:
        linear.local.workspace.add(Invented(key, f"The title of {key}"), moment_of(NOON))
    return linear


@pytest.mark.parametrize(("unknown", "more"), [([], 0), (["AI-98", "AI-99"], 2)])
def test_a_message_with_ten_keys_is_two_requests_and_one_more_for_each_unknown_key(
    driver, linear, unknown, more
):
    ana = driver.api.user("Ana Canary", id=1001)
    ana.starts()
    keys = [*TEN[: 10 - more], *unknown]
    card = driver.answer(ana, f"How are {', '.join(keys)}?")
    assert all(f"The title of {key}" in card.text for key in keys[: 10 - more])
    assert len(linear.local.asked) <= 2 + more


def test_a_message_with_ten_keys_in_a_group_is_two_requests(driver, linear):
    ana = driver.api.user("Ana Canary", id=1001)
    ana.starts()
    team = driver.api.supergroup("Team Canary", members=[ana])
    driver.asks(ana, f"@ledger_bot {' '.join(TEN)}", in_=team)
    assert "The title of WEB-33" in driver.answers(ana)[-1].text
    assert len(linear.local.asked) <= 2
