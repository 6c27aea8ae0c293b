"""Networks that fail: every phase of a request ends in an answer and one log line."""

import asyncio
import contextlib
import gc
import io
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from bot.linear.client import Connection, Linear
from bot.linear.issue import Unknown
from bot.settings import Secret
from tests.support.linear_client_and_server import KEY
from tests.support.linear_door import HOST, free_port
from tests.support.linear_failures import log_of_everything, told

SLOW, UNREACHABLE = "does not answer in time", "cannot be reached"
SHORT_SECONDS = 0.1
PATIENCE_SECONDS = {SLOW: SHORT_SECONDS, UNREACHABLE: 60.0}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

log = pytest.fixture(log_of_everything)


def saying(*pieces: bytes, ends: bool = False, drops: bytes = b"") -> Serve:
    """Says these bytes after a request has begun, and then nothing, or `drops` for ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for piece in pieces:
            writer.write(piece)
        with contextlib.suppress(ConnectionError):
            while drops and not writer.is_closing():
                writer.write(drops)
                await asyncio.sleep(SHORT_SECONDS / 20)
            if not ends:
                await reader.read()
        writer.close()

    return serve


PHASES = {
    "nothing is said": (saying(), SLOW),
    "nothing but closing": (saying(ends=True), UNREACHABLE),
    "the status stops": (saying(b"HTTP/1.1 2"), SLOW),
    "the status is cut": (saying(b"HTTP/1.1 2", ends=True), UNREACHABLE),
    "the headers stop": (saying(HEAD), SLOW),
    "the headers go on for ever": (saying(HEAD, drops=b"X-A: 1\r\n"), SLOW),
    "the body stops": (saying(HEAD, b"Content-Length: 99\r\n\r\n{"), SLOW),
    "the body comes in drops": (saying(HEAD, b"Content-Length: 9999\r\n\r\n", drops=b" "), SLOW),
    "the chunks stop": (saying(HEAD, b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"), SLOW),
    "the chunks are none": (
        saying(HEAD, b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        UNREACHABLE,
    ),
    "another protocol": (saying(b"220 mail.example ESMTP\r\n", ends=True), UNREACHABLE),
    "headers that are too long": (saying(HEAD, b"X-A: " + b"x" * 200_000), UNREACHABLE),
    "headers without a name": (saying(HEAD, b": x\r\n\r\n"), UNREACHABLE),
    "a length that is none": (saying(HEAD, b"Content-Length: x\r\n\r\n"), UNREACHABLE),
}


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve for a block, which is given the port; what was opened is closed after it."""
    serving: list[asyncio.Task[None]] = []

    async def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(cast("asyncio.Task[None]", asyncio.current_task()))
        with contextlib.suppress(asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(opened, HOST, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def look_up(url: str, why: str = UNREACHABLE) -> None:
    linear = Linear(Connection(url, Secret(KEY), PATIENCE_SECONDS[why]), patience_seconds=90.0)
    assert await linear.look_up(["AI-1799"]) == {"AI-1799": Unknown()}
    await linear.close()


def check_one_line(log: io.StringIO, why: str) -> None:
    (line,) = told(log)
    assert "WARNING bot.linear.client.linear Linear not read" in line
    assert why in line


@pytest.mark.parametrize("phase", PHASES)
def test_a_failure_in_any_phase_of_an_answer(log, phase):
    serve, why = PHASES[phase]

    async def steps() -> None:
        async with listening(serve) as port:
            await look_up(f"http://{HOST}:{port}/graphql", why)

    asyncio.run(steps())
    check_one_line(log, why)


def test_a_port_that_is_closed(log):
    asyncio.run(look_up(f"http://{HOST}:{free_port()}/graphql"))
    check_one_line(log, UNREACHABLE)


def test_a_name_that_is_not_found(log, monkeypatch):
    def no_such_name(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    asyncio.run(look_up("http://linear.invalid/graphql"))
    check_one_line(log, UNREACHABLE)


def test_a_connection_that_is_never_accepted(log):
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind((HOST, 0))
        full.listen(0)
        for _ in range(4):  # which take the places of those that wait to be accepted
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        asyncio.run(look_up(f"http://{HOST}:{full.getsockname()[1]}/graphql", SLOW))
    check_one_line(log, SLOW)


# --- TLS -----------------------------------------------------------------------------------------


# Python closes the connection of a handshake that was cancelled only when it is collected.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (saying(), SLOW),
        (saying(ends=True), UNREACHABLE),
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), UNREACHABLE),
    ],
    ids=["nothing is said", "closed", "no TLS"],
)
def test_a_handshake_that_fails(log, serve, why):
    async def steps() -> None:
        async with listening(serve) as port:
            await look_up(f"https://{HOST}:{port}/graphql", why)

    asyncio.run(steps())
    gc.collect()
    check_one_line(log, why)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="making a certificate needs openssl")
def test_a_certificate_that_nobody_vouches_for_gets_no_key(log, tmp_path):
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    async def steps() -> None:
        async with listening(serve, own_certificate(tmp_path)) as port:
            await look_up(f"https://{HOST}:{port}/graphql")

    asyncio.run(steps())
    assert heard in ([], [b""])
    check_one_line(log, UNREACHABLE)


def own_certificate(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate that is signed by itself."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    how = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=x"
    command = ["openssl", *how.split(), "-addext", f"subjectAltName=IP:{HOST}"]
    paths = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *paths], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


# --- other places --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_other_place_gets_the_key(log, status):
    heard: list[bytes] = []

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.close()

    async def steps() -> None:
        async with listening(other) as elsewhere:
            head = f"HTTP/1.1 {status} Moved\r\nLocation: http://localhost:{elsewhere}/\r\n"
            redirect = saying(head.encode(), b"Content-Length: 0\r\n\r\n", ends=True)
            async with listening(redirect) as port:
                await look_up(f"http://{HOST}:{port}/graphql")

    asyncio.run(steps())
    assert heard == []
    (line,) = told(log)
    assert "Linear not read" in line
