"""`engagement webhook test` knocks at the real door, and says in words what happened."""

import asyncio
import re
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from bot.cli import webhook
from bot.linear.demo import SECRET
from ledger.instants import instant_of
from tests.support.command_line import NOON, CommandLine, CompletedCommand
from tests.support.linear_door import Door, opened

HOUR = 3_600_000_000


@pytest.fixture
def linear(cli: CommandLine) -> CommandLine:
    """A command line with the secret."""
    cli.settings["ENGAGEMENT_LINEAR_WEBHOOK_SECRET"] = SECRET
    return cli


def tried(
    cli: CommandLine, path: str = "/linear", hours: int = 0, pause: float = 0.0
) -> CompletedCommand:
    """The outcome of the command at a door that is open, and whose clock is so far ahead."""

    async def run() -> tuple[CompletedCommand, Door]:
        async with opened() as door:
            door.clock.at = instant_of(NOON)
            door.clock.move(hours * HOUR)
            door.pause = pause
            url = door.url.replace("/linear", path)
            return await asyncio.to_thread(cli, "webhook", "test", "--url", url), door

    done, door = asyncio.run(run())
    assert door.taken == []
    assert SECRET not in done.out + done.err
    return done


def test_a_door_that_is_open_accepts_it_and_refuses_a_forged_one(linear):
    done = tried(linear)
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"accepted in \d+ ms; a forged one was refused\n", done.out)


def test_without_a_secret_it_says_where_to_get_one(cli):
    done = cli("webhook", "test")
    assert (done.code, done.out) == (1, "")
    assert "ENGAGEMENT_LINEAR_WEBHOOK_SECRET is not set: make a webhook in Linear's" in done.err


def test_with_another_secret_it_says_so(linear):
    linear.settings["ENGAGEMENT_LINEAR_WEBHOOK_SECRET"] = SECRET.replace("demo", "canary")
    done = tried(linear)
    assert done.code == 1
    assert "answers 401: the bot there has another secret" in done.err
    assert "canary" not in done.err


def test_where_nothing_listens_it_says_so(linear):
    done = linear("webhook", "test", "--url", "http://127.0.0.1:1/linear")
    assert done.code == 1
    assert "nothing listens at http://127.0.0.1:1/linear: start `engagement run` or" in done.err


def test_another_path_and_another_clock_are_said(linear):
    assert "answers 404: there is no door at this path" in tried(linear, path="/other").err
    assert "answers 403: the clocks of the bot and of this command" in tried(linear, hours=9).err


@pytest.mark.parametrize("url", ["x", "http://", "ftp://127.0.0.1/linear", "http://[x/linear"])
def test_an_address_that_is_none_is_one_line(linear, url):
    done = linear("webhook", "test", "--url", url)
    assert (done.code, len(done.errors)) == (1, 1)


class Careless(BaseHTTPRequestHandler):
    """Accepts everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_a_server_that_accepts_everything_is_not_taken_for_the_bot(linear):
    with HTTPServer(("127.0.0.1", 0), Careless) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/linear"
        done = linear("webhook", "test", "--url", url)
        server.shutdown()
    assert done.code == 1
    assert "accepts a forged webhook, too: the program there is not this bot" in done.err


def test_a_server_that_is_silent_is_not_waited_for(linear, monkeypatch):
    monkeypatch.setattr(webhook, "ANSWER_SECONDS", 0.1)

    async def run() -> CompletedCommand:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/linear"
            done: CompletedCommand = await asyncio.to_thread(
                linear, "webhook", "test", "--url", url
            )
        await server.wait_closed()
        return done

    done = asyncio.run(run())
    assert done.code == 1
    assert "does not answer within" in done.err
