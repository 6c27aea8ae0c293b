"""The webhook's door: a request without the secret costs no more than a line of headers."""

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
import telegram

from bot.telegram import webhook
from bot.webhooks import server
from tests.support.forks import CONTEXT

SECRET = "a-secret-of-at-least-thirty-two-characters"  # noqa: S105 - guards nothing
HEADERS = {webhook.SECRET_HEADER: SECRET}
UPDATE = {
    "update_id": 7,
    "message": {
        "message_id": 1,
        "date": 1_800_000_000,
        "chat": {"id": 1001, "type": "private", "first_name": "Ana"},
        "text": "AI-1 canary",
    },
}


class Door:
    """A door that is open on the loopback, and what came through it."""

    def __init__(self) -> None:
        """Record everything until told otherwise."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = int(server.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.taken: list[int] = []
        self.is_kept = True

    async def take(self, update: telegram.Update) -> bool:
        self.taken.append(update.update_id)
        return self.is_kept

    async def post(self, url: str | None = None, method: str = "POST", **how: Any) -> int:
        """Return the status of one request."""
        request: dict[str, Any] = {"json": UPDATE, "headers": HEADERS} | how
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url or self.url, **request) as answer,
        ):
            return answer.status

    async def connect(
        self, headers: str, path: str = "/hook"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection and say the headers of a request, but none of its body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        await writer.drain()
        return reader, writer


@asynccontextmanager
async def opened() -> AsyncIterator[Door]:
    door, bot = Door(), telegram.Bot("1:x")
    route = webhook.route_of(bot, door.take, url=door.url, secret=SECRET)
    async with server.listening([route], ("127.0.0.1", door.port)):
        yield door


def at_the_door(act: Callable[[Door], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(20), opened() as door:
            return await act(door), door.taken

    return asyncio.run(run())


def test_an_update_that_is_kept_is_acknowledged():
    assert at_the_door(lambda door: door.post()) == (200, [7])
    assert at_the_door(lambda door: door.post(f"{door.url}/")) == (200, [7])


def test_an_update_that_is_not_kept_is_refused_so_that_it_comes_again():
    async def act(door: Door) -> int:
        door.is_kept = False
        return await door.post()

    assert at_the_door(act) == (503, [7])


@pytest.mark.parametrize(
    ("how", "status"),
    [
        pytest.param({"headers": {}}, 403, id="no secret"),
        pytest.param({"headers": {webhook.SECRET_HEADER: "x" * 40}}, 403, id="a wrong secret"),
        pytest.param({"headers": {webhook.SECRET_HEADER: "é"}}, 403, id="a secret in no alphabet"),
        pytest.param({"headers": {}, "method": "GET"}, 405, id="another method"),
        pytest.param({"method": "PUT"}, 405, id="another method, with the secret"),
        pytest.param({"data": b"x" * 1_000_001, "json": None}, 413, id="too long"),
        pytest.param({"data": b"{", "json": None}, 400, id="no JSON"),
        pytest.param({"data": b"\xff", "json": None}, 400, id="no text"),
        pytest.param({"json": []}, 400, id="a list"),
        pytest.param({"json": {"update_id": "x", "message": 3}}, 400, id="no update"),
        pytest.param({"json": None, "data": None}, 400, id="nothing"),
    ],
)
def test_what_is_no_update_of_telegrams_is_refused(how, status, log):
    assert at_the_door(lambda door: door.post(**how)) == (status, [])
    assert SECRET not in log.getvalue()


@pytest.mark.parametrize("path", ["/", "/other", "/hook/more", "/hook?x=1", "//hook"])
def test_another_path_leads_nowhere(path):
    async def act(door: Door) -> int:
        return await door.post(f"http://127.0.0.1:{door.port}{path}")

    status, taken = at_the_door(act)
    assert (status, taken) == ((200, [7]) if path == "/hook?x=1" else (404, []))


def test_without_the_secret_no_body_is_waited_for():
    async def act(door: Door) -> list[bytes]:
        answers = []
        for path in ("/hook", "/other"):
            reader, writer = await door.connect("Content-Length: 900000\r\n", path)
            answers.append(await reader.readline())
            assert not (await reader.read()).partition(b"\r\n\r\n")[2]  # and it is closed
            writer.close()
        return answers

    answers, taken = at_the_door(act)
    assert answers == [b"HTTP/1.1 403 Forbidden\r\n", b"HTTP/1.1 404 Not Found\r\n"]
    assert taken == []


@pytest.mark.parametrize("seconds", ["BODY_SECONDS", "IDLE_SECONDS"])
def test_who_is_slow_is_cut_off(monkeypatch, seconds):
    monkeypatch.setattr(server, seconds, 0.1)
    slow = f"{webhook.SECRET_HEADER}: {SECRET}\r\n"

    async def act(door: Door) -> bytes:
        more = "Content-Length: 900\r\n" if seconds == "BODY_SECONDS" else "X-Half: "
        reader, writer = await door.connect(slow + more)
        if seconds == "IDLE_SECONDS":
            writer.write(b"x")
        answer = await reader.read()
        writer.close()
        return answer

    assert at_the_door(act)[1] == []


def test_headers_without_end_are_cut_off():
    async def act(door: Door) -> bytes:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        with suppress(ConnectionError):
            for _ in range(1000):
                writer.write(b"POST /hook HTTP/1.1\r\nX: " + b"x" * 10_000)
                await writer.drain()
        return b"cut" if writer.is_closing() or writer.transport.is_closing() else b"open"

    assert at_the_door(act) == (b"cut", [])


def test_a_body_in_pieces_without_end_is_cut_off():
    async def act(door: Door) -> int:
        headers = f"{webhook.SECRET_HEADER}: {SECRET}\r\nTransfer-Encoding: chunked\r\n"
        reader, writer = await door.connect(headers)
        with suppress(ConnectionError):
            for _ in range(40):
                writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                await writer.drain()
        with suppress(ConnectionError):
            return len(await reader.read())
        return 0

    assert at_the_door(act)[1] == []


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether the other end closes a connection, rather than answer."""
    with suppress(ConnectionError):
        return await reader.read(1) == b""
    return True


async def known(door: Door) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has brought an update with the secret, and stays open."""
    body = json.dumps(UPDATE)
    headers = f"{webhook.SECRET_HEADER}: {SECRET}\r\nContent-Length: {len(body)}\r\n"
    reader, writer = await door.connect(headers)
    writer.write(body.encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    return reader, writer


@pytest.mark.parametrize("is_refused", [False, True])
def test_strangers_that_hold_every_connection_give_way_the_oldest_first(monkeypatch, is_refused):
    monkeypatch.setattr(server, "CONNECTIONS", 3)
    half = f"{webhook.SECRET_HEADER}: {'x' * len(SECRET)}" if is_refused else "X-Half: x"

    async def act(door: Door) -> list[bool]:
        first = await known(door)
        strangers = [await door.connect(half) for _ in range(2)]
        one, other = [await known(door) for _ in range(2)]
        gone = [await is_closed(reader) for reader, _ in strangers]
        last = await door.connect("")  # no stranger is left to give way
        gone.append(await is_closed(last[0]))
        for _, writer in (first, *strangers, one, other, last):
            writer.close()
        return gone

    assert at_the_door(act) == ([True, True, True], [7, 7, 7])


def test_the_youngest_strangers_stay_and_a_connection_that_ends_is_forgotten(monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 2)

    async def act(door: Door) -> list[int]:
        older, younger = [await door.connect("X-Half: x") for _ in range(2)]
        statuses = [await door.post()]  # in the place of the older one
        assert await is_closed(older[0])
        younger[1].write(b"Content-Length: 0\r\n\r\n")
        statuses += [int((await younger[0].read()).split()[1]), await door.post()]
        for _, writer in (older, younger):
            writer.close()
        return statuses

    assert at_the_door(act) == ([200, 403, 200], [7, 7])


def test_fifty_strangers_with_large_bodies_cost_little_memory():
    """Eight of them took 858 MiB of the library's own server."""
    parent, child = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_besieged, args=(child,), daemon=True)
    process.start()
    grown = parent.recv()
    process.join(20)
    assert grown < 60 * 2**20


def _besieged(told: Any) -> None:
    async def stranger(door: Door) -> None:
        with suppress(ConnectionError):
            _, writer = await door.connect("Content-Length: 100000000\r\n")
            for _ in range(100):
                writer.write(bytes(1_000_000))
                await writer.drain()

    async def act(door: Door) -> None:
        await asyncio.gather(*(stranger(door) for _ in range(50)))

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    at_the_door(act)
    told.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
