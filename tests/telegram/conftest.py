"""Conversation drivers, and the logs of their bots."""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.cli.logs import handler_for
from bot.spool import durable_writer
from tests.support.telegram.conversation_driver import Stage

SHORTEST_TELLING = 6
"""Characters; shorter texts occur in logs by chance."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine sends nothing to the spool; tests that are about it set their own patience."""
    monkeypatch.setattr(durable_writer, "PATIENCE_SECONDS", 60.0)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that the bot logs at the lowest level, as it would write it."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = handler_for(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def set_stage(tmp_path: Path, log: io.StringIO) -> Iterator[Callable[..., Stage]]:
    """Make drivers; at the end no request was wrong, and no secret is in the logs."""
    stages: list[Stage] = []
    with ExitStack() as running:

        def begin(folder: Path = tmp_path, **how: Any) -> Stage:
            stage = Stage(folder, **how)
            stages.append(running.enter_context(stage))
            return stage

        yield begin
    logged = log.getvalue()
    for stage in stages:
        assert stage.api.complaints == []
        assert [each for each in secrets_of(stage) if each in logged] == []


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    """A driver of a bot that listens everywhere."""
    return set_stage()


def secrets_of(stage: Stage) -> set[str]:
    """The token, and all names and texts of people."""
    said = {stage.api.token.partition(":")[2]}
    for user in stage.api.users.values():
        said |= {str(name) for key, name in user.items() if key.endswith("name")}
    for chat in stage.api.chats.values():
        for message in chat.messages.values():
            said |= {str(message.get("text", "")), str(message.get("caption", ""))}
    known = {str(name) for key, name in stage.api.bot.items() if key.endswith("name")}
    return {each for each in said - known if len(each) >= SHORTEST_TELLING}
