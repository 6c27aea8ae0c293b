"""Conversation drivers, and the logs of their bots."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.spool import durable_writer
from bot.telegram import key_check
from tests.support.telegram.conversation_driver import ConversationDriver

SHORTEST_TELLING = 6
"""Characters; shorter texts occur in logs by chance."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine sends nothing to the spool; tests that are about it set their own patience."""
    monkeypatch.setattr(durable_writer, "PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(key_check, "LEDGER_SECONDS", 60.0)


@pytest.fixture
def start_driver(tmp_path: Path, log: io.StringIO) -> Iterator[Callable[..., ConversationDriver]]:
    """Make drivers; at the end no request was wrong, and no secret is in the logs."""
    drivers: list[ConversationDriver] = []
    with ExitStack() as running:

        def begin(folder: Path = tmp_path, **how: Any) -> ConversationDriver:
            driver = ConversationDriver(folder, **how)
            drivers.append(running.enter_context(driver))
            return driver

        yield begin
    logged = log.getvalue()
    for driver in drivers:
        assert driver.api.complaints == []
        assert [each for each in secrets_of(driver) if each in logged] == []


@pytest.fixture
def driver(start_driver: Callable[..., ConversationDriver]) -> ConversationDriver:
    """A driver of a bot that listens everywhere."""
    return start_driver()


def secrets_of(driver: ConversationDriver) -> set[str]:
    """The token, and all names and texts of people."""
    said = {driver.api.token.partition(":")[2]}
    for user in driver.api.users.values():
        said |= {str(name) for key, name in user.items() if key.endswith("name")}
    for chat in driver.api.chats.values():
        for message in chat.messages.values():
            said |= {str(message.get("text", "")), str(message.get("caption", ""))}
    known = {str(name) for key, name in driver.api.bot.items() if key.endswith("name")}
    return {each for each in said - known if len(each) >= SHORTEST_TELLING}
