"""Answers that a test asks for: errors, floods, answers held back or lost on the way."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.telegram.errors import Refusal, too_many_requests
from tests.support.telegram.http_messages import Request


@dataclass
class Faults:
    """The next faults, and how often they occur."""

    failing: dict[str, list[Refusal]] = field(default_factory=dict)
    losing: dict[str, int] = field(default_factory=dict)
    floods: dict[Any, list[int]] = field(default_factory=dict)
    held: dict[str, threading.Event] = field(default_factory=dict)

    def refuse(self, asked: Request) -> None:
        """Raise what `fail_next` asked for."""
        if refusals := self.failing.get(asked.method):
            raise refusals.pop(0)

    def refuse_flooded(self, asked: Request) -> None:
        """Raise 429 while a chat is flooded."""
        seconds = self.floods.get(asked.parameters.get("chat_id")) or self.floods.get(None)
        if seconds and asked.method.startswith(("send", "edit")):
            raise too_many_requests(seconds.pop(0))

    def lose(self, asked: Request) -> None:
        """Answer 502 after all was done, as when the answer is lost on the way."""
        if self.losing.get(asked.method, 0):
            self.losing[asked.method] -= 1
            raise Refusal(502, "Bad Gateway")

    async def hold(self, asked: Request) -> None:
        """Wait while the answers of this method are held back."""
        if event := self.held.get(asked.method):
            await asyncio.to_thread(event.wait)

    @contextmanager
    def holding(self, method: str) -> Iterator[None]:
        """Hold back the answers of a method until the block ends."""
        self.held[method] = event = threading.Event()
        try:
            yield
        finally:
            event.set()
            self.held.pop(method, None)
