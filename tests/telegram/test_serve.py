"""Running: polling and webhooks, stopping, and what the watchdog notices."""

import asyncio
import errno
import os
import signal
import socket
import threading
import time
from typing import Any, cast

import aiohttp
import pytest
from telegram.request import HTTPXRequest, RequestData
from telegram.request._requestparameter import RequestParameter
from tornado.httpserver import HTTPServer

from bot.settings import settings_of
from bot.telegram import doors
from bot.telegram import serve as running
from bot.telegram.doors import Webhook
from bot.telegram.serve import (
    SAME_AGAIN,
    SILENCE_SECONDS,
    PollingFailedError,
    PollingRequest,
)
from bot.webhooks.server import ListeningError
from projections.application import Engagements
from tests.support.telegram.bot_process import BotProcess
from tests.support.telegram.fake_server import FakeBotApi

SECRET = "a-secret-of-at-least-thirty-two-characters"  # noqa: S105 - guards nothing


@pytest.fixture
def api():
    with FakeBotApi() as server:
        yield server


def touched(folder, user_id: int, issue: str) -> int:
    """How often the user touched the issue, by the ledger in the folder."""
    with Engagements(f"sqlite:///{folder}/ledger.db") as engagements:
        return engagements.questions.ask(str(user_id), issue).engagement.count


# --- polling -------------------------------------------------------------------------------------


def test_a_polling_bot_records_answers_and_stops_within_ten_seconds(api, tmp_path):
    ana = api.user("Ana Canary", id=1001)
    bot = BotProcess(api, tmp_path)
    ana.says("AI-1 canary")
    api.wait_until(lambda: len(api.sent_to(ana)) == 1, 20)
    began = time.monotonic()
    assert bot.terminate() == 0
    assert time.monotonic() - began < 10
    assert touched(tmp_path, 1001, "AI-1") == 1
    assert api.pending() == 0
    assert api.complaints == []
    assert "canary" not in bot.log.lower()
    assert api.token.partition(":")[2] not in bot.log


def test_what_was_received_before_the_stop_is_answered(api, tmp_path):
    ana = api.user("Ana Canary", id=1001)
    bot = BotProcess(api, tmp_path)
    api.wait_until(lambda: api.asked("getUpdates"), 20)
    with api.faults.holding("sendMessage"):
        ana.says("AI-1")
        api.wait_until(lambda: api.asked("sendMessage"), 20)
        bot.process.terminate()
    assert bot.ended() == 0
    assert api.sent_to(ana)[0].text.startswith("AI-1")


def test_a_token_that_telegram_does_not_know_ends_the_start(api, tmp_path):
    other = {"TELEGRAM_BOT_TOKEN": "110201543:another-token-canary"}
    bot = BotProcess(api, tmp_path, settings=other)
    assert bot.ended() == 1
    assert "error: Telegram does not know this TELEGRAM_BOT_TOKEN" in bot.log
    assert "canary" not in bot.log


def test_an_update_that_cannot_be_parsed_ends_the_process_with_a_clear_error(api, tmp_path):
    ana = api.user("Ana Canary", id=1001)
    bot = BotProcess(api, tmp_path)
    ana.says("AI-1 canary")
    api.wait_until(lambda: api.pending() == 0 and api.asked("sendMessage"), 20)
    api.queue_raw({"message": {"message_id": "canary"}})
    assert bot.ended() == 1, bot.log
    assert "error: Telegram has sent the same updates" in bot.log
    assert "canary" not in bot.log.lower()
    assert touched(tmp_path, 1001, "AI-1") == 1


# --- webhooks ------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_behind_a_webhook_the_answer_to_telegram_comes_after_the_record(api, tmp_path):
    port = free_port()
    hook = Webhook(f"http://127.0.0.1:{port}/hook", "127.0.0.1", port)
    bot = BotProcess(api, tmp_path, webhook=hook, settings={"ENGAGEMENT_WEBHOOK_SECRET": SECRET})
    api.wait_until(lambda: api.asked("setWebhook"), 20)
    ana = api.user("Ana Canary", id=1001)
    ana.says("AI-1 canary")
    api.wait_until(lambda: api.pending() == 0, 20)
    bot.kill()
    assert touched(tmp_path, 1001, "AI-1") == 1
    assert api.asked("setWebhook")[0].parameters["secret_token"] == SECRET
    assert SECRET not in bot.log


def test_who_does_not_know_the_secret_is_not_heard(api, tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook"
    hook = Webhook(url, "127.0.0.1", port)
    bot = BotProcess(api, tmp_path, webhook=hook, settings={"ENGAGEMENT_WEBHOOK_SECRET": SECRET})
    api.wait_until(lambda: api.asked("setWebhook"), 20)
    ana = api.user("Ana Canary", id=1001)
    ana.says("hello")
    api.wait_until(lambda: api.pending() == 0, 20)
    update = ana.says("AI-1 canary", queued=False)

    async def post(headers: dict[str, str]) -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json=update, headers=headers) as response,
        ):
            return response.status

    name = "X-Telegram-Bot-Api-Secret-Token"
    assert asyncio.run(post({})) == asyncio.run(post({name: "wrong-canary"})) == 403
    assert asyncio.run(post({name: SECRET})) == 200
    assert bot.terminate() == 0
    assert touched(tmp_path, 1001, "AI-1") == 1
    assert "canary" not in bot.log.lower()


# --- the watchdog --------------------------------------------------------------------------------


class FakeConnection:
    """The responses to a PollingRequest, in place of a network."""

    def __init__(self, monkeypatch) -> None:
        """Answer nothing new until told otherwise."""
        self.payload = b'{"ok":true,"result":[]}'
        self.code = 200
        self.now = 0.0
        monkeypatch.setattr(HTTPXRequest, "do_request", self._answer)
        self.request = PollingRequest(lambda: self.now)

    async def _answer(self, *_: object, **__: object) -> tuple[int, bytes]:
        return self.code, self.payload

    def poll(self, offset: int) -> None:
        parameter = RequestParameter("offset", offset, None)
        data = RequestData([parameter])
        asyncio.run(self.request.do_request("https://x/getUpdates", "POST", data))


@pytest.fixture
def connection(monkeypatch):
    return FakeConnection(monkeypatch)


def test_polling_that_gets_on_is_left_alone(connection):
    for offset in range(SAME_AGAIN * 3):
        connection.payload = b'{"ok":true,"result":[{"update_id":1}]}'
        connection.poll(offset)
        connection.now += SILENCE_SECONDS
        connection.request.check()


def test_long_silence_of_people_is_left_alone(connection):
    for _ in range(SAME_AGAIN * 3):
        connection.poll(7)
        connection.now += 10
        connection.request.check()


def test_the_same_updates_again_and_again_are_noticed(connection):
    connection.payload = b'{"ok":true,"result":[{"update_id":1}]}'
    for _ in range(SAME_AGAIN + 1):
        connection.poll(7)
    with pytest.raises(PollingFailedError, match="the same updates"):
        connection.request.check()


def test_polling_that_has_died_is_noticed(connection):
    connection.poll(7)
    connection.now += SILENCE_SECONDS + 1
    with pytest.raises(PollingFailedError, match="polling has stopped"):
        connection.request.check()


def test_a_long_outage_is_left_alone(connection):
    connection.code, connection.payload = (
        502,
        b'{"ok":false,"error_code":502,"description":"Bad Gateway"}',
    )
    for _ in range(SAME_AGAIN * 3):
        connection.poll(7)
        connection.now += 30
        connection.request.check()


def test_a_token_that_was_revoked_is_noticed_at_once(connection):
    connection.code = 401
    connection.poll(7)
    with pytest.raises(PollingFailedError, match="does not know this"):
        connection.request.check()


# --- starting and stopping, in this process ------------------------------------------------------


def test_an_address_that_is_taken_is_an_error_that_names_it(monkeypatch):
    def taken(*_: object, **__: object) -> None:
        raise OSError(errno.EADDRINUSE, "Address already in use")

    async def serve() -> None:
        unused: Any = None
        hook = Webhook("https://ledger.example/hook", "127.0.0.1", 8443)
        settings = settings_of({"ENGAGEMENT_WEBHOOK_SECRET": SECRET})
        async with doors.open_doors(unused, unused, None, settings, hook):
            pass

    monkeypatch.setattr(HTTPServer, "listen", taken)
    with pytest.raises(
        ListeningError, match=r"cannot listen at 127\.0\.0\.1:8443: Address already"
    ):
        asyncio.run(serve())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_that_hangs_ends_hard_and_one_that_does_not_waits_for_nothing(number):
    async def signalled() -> None:
        stopped = running._signalled()
        os.kill(os.getpid(), number)
        async with asyncio.timeout(20):
            await stopped.wait()

    before = set(threading.enumerate())
    asyncio.run(signalled())
    (ending,) = [cast("threading.Timer", each) for each in set(threading.enumerate()) - before]
    ending.cancel()
    assert (ending.interval, ending.function) == (running.STOP_SECONDS, os._exit)
    assert (tuple(ending.args), ending.daemon) == ((running.STOPPED_HARD,), True)
