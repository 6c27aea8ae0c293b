"""A bot that asks a local Linear about issues."""

from collections.abc import Callable, Iterator

import pytest

from bot.linear.demo import LocalLinear, invented
from ledger.instants import moment_of
from tests.support.linear_server import LinearServer, serving
from tests.support.strategies import NOON
from tests.support.telegram.conversation_driver import ConversationDriver


@pytest.fixture
def linear() -> Iterator[LinearServer]:
    """The workspace of the demo, as of noon."""
    now = moment_of(NOON)
    with serving(LocalLinear(invented(now), lambda: now)) as served:
        yield served


@pytest.fixture
def driver(
    start_driver: Callable[..., ConversationDriver], linear: LinearServer
) -> ConversationDriver:
    """A driver of a bot that asks it."""
    return start_driver(ENGAGEMENT_TEAM_KEYS="AI,WEB,OPS,LAW,DMD", **linear.settings)
