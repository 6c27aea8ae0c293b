"""A message to the bot that names ten issues: few requests, in private and in a group."""

from collections.abc import Callable, Iterator

import pytest

from bot.linear.demo import LocalLinear, Workspace
from bot.linear.demo.workspace import Invented, empty
from ledger.instants import moment_of
from tests.support.linear_server import LinearServer, serving
from tests.support.strategies import NOON
from tests.support.telegram.conversation_driver import ConversationDriver

NOW = moment_of(NOON)
TEN = [f"AI-{number}" for number in range(1, 8)] + ["WEB-1", "WEB-2", "WEB-3"]


def world() -> Workspace:
    workspace = empty()
    for key in TEN:
        workspace.add(Invented(key, f"The title of {key}"), NOW)
    return workspace


@pytest.fixture
def linear() -> Iterator[LinearServer]:
    with serving(LocalLinear(world(), lambda: NOW)) as served:
        yield served


@pytest.fixture
def driver(
    start_driver: Callable[..., ConversationDriver], linear: LinearServer
) -> ConversationDriver:
    return start_driver(ENGAGEMENT_TEAM_KEYS="AI,WEB", **linear.settings)


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
    assert "The title of WEB-3" in driver.answers(ana)[-1].text
    assert len(linear.local.asked) <= 2
