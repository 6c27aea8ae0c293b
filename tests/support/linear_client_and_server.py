"""A client and the local Linear in one event loop, at clocks that stand still until moved."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from bot.linear.client import Connection, Linear
from bot.linear.demo import KEY, LocalLinear, Scripted, Workspace, invented
from bot.linear.demo.workspace import empty
from bot.settings import Secret
from ledger.instants import moment_of
from tests.support.strategies import NOON, Clock

__all__ = ["KEY", "ClientAndServer", "Scripted", "run_with_server", "workspace"]


class FakeMonotonicClock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class ClientAndServer:
    """The two, and their clocks."""

    def __init__(
        self, local: LocalLinear, linear: Linear, clock: Clock, ticks: FakeMonotonicClock
    ) -> None:
        self.local = local
        self.linear = linear
        self.clock = clock
        self.ticks = ticks

    @property
    def count(self) -> int:
        """How many requests came."""
        return len(self.local.asked)

    def move(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self.ticks.seconds += seconds
        self.clock.move(seconds * 1_000_000)


def workspace(*, is_empty: bool = False) -> Workspace:
    """The invented one, at noon."""
    return empty() if is_empty else invented(moment_of(NOON))


def run_with_server(
    steps: Callable[[ClientAndServer], Awaitable[Any]],
    of: Workspace | None = None,
    key: str = KEY,
    patience_seconds: float = 60.0,
) -> Any:
    """Return what `steps` returns, which is given both."""

    async def run() -> Any:
        async with together(of or workspace(), key, patience_seconds) as started:
            return await steps(started)

    return asyncio.run(run())


@asynccontextmanager
async def together(of: Workspace, key: str = KEY, patience_seconds: float = 60.0):
    clock, ticks = Clock(), FakeMonotonicClock()
    local = LocalLinear(of, clock)
    async with local.serving() as url:
        connection = Connection(url, Secret(key), patience_seconds)
        linear = Linear(connection, clock, ticks)
        try:
            yield ClientAndServer(local, linear, clock, ticks)
        finally:
            local.release()
            await linear.close()
