"""Linear's door on the loopback, and requests that knock at it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bot.linear.demo.webhooks import SECRET, Delivery, Webhooks, issue_body
from bot.linear.intake.door import route_of
from bot.linear.intake.recorder import WebhookRecorder
from bot.settings import Secret
from bot.webhooks.server import Route, listening
from ledger.observations import Observation
from tests.support.linear_client_and_server import workspace
from tests.support.strategies import Clock

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


class Door:
    """A door that is open, and what came through it; `fault` is what recording raises,
    and `pause` how many seconds it takes.
    """

    def __init__(self, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self.url = f"http://{HOST}:{self.port}/linear"
        self.clock = Clock()
        self.taken: list[Observation] = []
        self.came = asyncio.Event()
        self.fault: Exception | None = None
        self.pause = 0.0
        self.recorder = WebhookRecorder(self._take, Secret(SECRET), self.clock)
        self._sent = Webhooks(_nowhere, self.clock)

    async def _take(self, observation: Observation) -> None:
        await asyncio.sleep(self.pause)
        if self.fault is not None:
            raise self.fault
        self.taken.append(observation)
        self.came.set()

    @property
    def keys(self) -> list[str]:
        """The identifiers of what came through."""
        return [each.identifier for each in self.taken]

    def webhook(self, key: str = "AI-1799", **fields: Any) -> Delivery:
        """A webhook about an issue of the invented workspace."""
        world = workspace()
        issue = world.find(key)
        assert issue is not None
        return self._sent.add("Issue", "update", **issue_body(world, issue) | fields)

    def other_webhook(self, type_: str, **fields: Any) -> Delivery:
        """A webhook of another type."""
        return self._sent.add(type_, "create", **fields)

    async def post(
        self,
        delivery: Delivery,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Return the status of one request; a header that is empty is left out."""
        given = {**delivery.headers, **(headers or {})}
        sent = {name: value for name, value in given.items() if value}
        data = delivery.body if body is None else body
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=data, headers=sent) as answer,
        ):
            return answer.status

    async def connect(self, headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection and say the headers of a request, but none of its body."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        writer.write(f"POST /linear HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        await writer.drain()
        return reader, writer


async def _nowhere(*_: object) -> None:
    """Send nothing."""


@asynccontextmanager
async def opened(*others: Route, port: int | None = None) -> AsyncIterator[Door]:
    """Open a door for a block, beside others."""
    door = Door(port)
    async with listening([*others, route_of(door.recorder)], (HOST, door.port)):
        yield door


def at_the_door(steps: Callable[[Door], Awaitable[Any]], *others: Route) -> Any:
    """Return what `steps` returns, and the identifiers of what came through."""

    async def run() -> Any:
        async with asyncio.timeout(60), opened(*others) as door:
            return await steps(door), door.keys

    return asyncio.run(run())
