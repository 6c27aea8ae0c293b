"""Linear's door: only what Linear signed comes through, and is acknowledged once it is recorded."""

import asyncio
import io
import json
import re
from contextlib import suppress
from typing import Any

import pytest
import telegram
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.linear.demo.webhooks import SECRET, Webhooks, sender
from bot.linear.intake import recorder
from bot.linear.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature_of
from bot.telegram import webhook as telegram_door
from bot.webhooks import server
from ledger.errors import LedgerUnavailableError, OptedOutError
from tests.support.linear_door import HOST, Door, at_the_door
from tests.support.strategies import HOUR

SIGNED = f"{SIGNATURE_HEADER}: {'0' * 64}\r\n"


def lines_of(log: io.StringIO, event: str) -> list[dict[str, Any]]:
    lines = map(json.loads, log.getvalue().splitlines())
    return [each for each in lines if each["event"] == event]


def test_what_linear_signed_is_recorded_and_acknowledged():
    assert at_the_door(lambda door: door.post(door.webhook())) == (200, ["AI-1799"])


def test_it_stands_beside_telegrams_at_one_address():
    async def take(_: telegram.Update) -> bool:
        return True

    bot = telegram.Bot("1:x")
    other = telegram_door.route_of(bot, take, url="https://bot.example/telegram", secret="x" * 32)

    async def steps(door: Door) -> list[int]:
        linears = door.url
        statuses = [await door.post(door.webhook())]
        for path in ("/telegram", "/", "/linear/more"):
            door.url = linears.replace("/linear", path)
            statuses.append(await door.post(door.webhook()))
        door.url = f"{linears}//?x=1"
        return [*statuses, await door.post(door.webhook())]

    assert at_the_door(steps, other) == ([200, 403, 404, 404, 200], ["AI-1799"] * 2)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"webhookTimestamp": None}, 400),
        ({"data": {"title": "canary"}}, 400),
        ({"data": {"id": "no UUID"}}, 400),
        ({"webhookTimestamp": 1_000_000_000_000}, 403),
    ],
)
def test_what_cannot_be_taken_is_refused(fields, status, log):
    assert at_the_door(lambda door: door.post(door.webhook(**fields))) == (status, [])
    assert "canary" not in log.getvalue()
    assert len(lines_of(log, "webhook refused")) == 1


@given(st.data())
@settings(max_examples=10)
def test_what_was_changed_on_the_way_is_refused(data):
    async def steps(door: Door) -> int:
        sent = door.webhook()
        bit = data.draw(st.integers(0, 8 * len(sent.body) - 1))
        flipped = bytearray(sent.body)
        flipped[bit // 8] ^= 1 << bit % 8
        cut = sent.body[: data.draw(st.integers(0, len(sent.body) - 1))]
        return await door.post(sent, data.draw(st.sampled_from([bytes(flipped), cut])))

    assert at_the_door(steps) == (401, [])


@pytest.mark.parametrize("signature", ["", "x", "é", "0" * 64, "F" * 64, f"sha256={'0' * 64}"])
def test_without_its_signature_it_is_refused(signature, log):
    def steps(door: Door) -> Any:
        return door.post(door.webhook(), headers={SIGNATURE_HEADER: signature})

    assert at_the_door(steps) == (401, [])
    assert SECRET not in log.getvalue()


def test_another_secret_is_refused():
    async def steps(door: Door) -> int:
        sent = door.webhook()
        other = signature_of(sent.body, f"{SECRET}x")
        return await door.post(sent, headers={SIGNATURE_HEADER: other})

    assert at_the_door(steps) == (401, [])


def test_the_unsigned_timestamp_decides_nothing():
    async def steps(door: Door) -> list[int]:
        old, new = door.webhook(), door.webhook(webhookTimestamp=door.clock.at // 1_000)
        door.clock.move(8 * HOUR)
        statuses = [await door.post(old)]
        door.clock.move(HOUR)
        later = str(door.clock.at // 1_000)
        statuses.append(await door.post(new, headers={TIMESTAMP_HEADER: later}))
        statuses.append(await door.post(door.webhook(), headers={TIMESTAMP_HEADER: "1"}))
        return statuses

    assert at_the_door(steps) == ([200, 403, 200], ["AI-1799"] * 2)


@pytest.mark.parametrize("fault", [LedgerUnavailableError("x"), OSError("canary"), MemoryError()])
def test_what_is_not_recorded_comes_again(fault, log):
    async def steps(door: Door) -> list[int]:
        sent, door.fault = door.webhook(), fault
        statuses = [await door.post(sent)]
        door.fault = None
        return [*statuses, await door.post(sent)]

    assert at_the_door(steps) == ([503, 200], ["AI-1799"])
    assert len(lines_of(log, "webhook not recorded")) == 1
    assert "canary" not in log.getvalue()


def test_what_the_ledger_cannot_record_for_hours_is_recorded_by_the_last_retry():
    async def steps(door: Door) -> tuple[list[int], bool]:
        webhooks, left = Webhooks(sender(door.url), door.clock), list[int]()
        webhooks.waiting.append(door.webhook())
        door.fault = LedgerUnavailableError("the disk is full")
        for hours in (0, 1 / 60, 1, 6):
            door.clock.move(round(hours * HOUR))
            door.fault = None if hours == 6 else door.fault
            await webhooks.deliver()
            left.append(len(webhooks.waiting))
        return left, webhooks.is_enabled

    assert at_the_door(steps) == (([1, 1, 1, 0], True), ["AI-1799"])


def test_recording_that_takes_too_long_for_linear_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(recorder, "ANSWER_SECONDS", 0.05)

    async def steps(door: Door) -> int:
        door.pause = 60.0
        return await door.post(door.webhook())

    assert at_the_door(steps) == (503, [])
    assert recorder.ANSWER_SECONDS < 5


def test_an_unknown_type_is_acknowledged_and_logged_once(log):
    async def steps(door: Door) -> list[int]:
        kinds = ["Reaction", "Project", "Reaction", "EngagementLedgerTest"]
        return [await door.post(door.other_webhook(each, data={"x": "canary"})) for each in kinds]

    assert at_the_door(steps) == ([200] * 4, [])
    logged = [each["type"] for each in lines_of(log, "webhook of an unknown type")]
    assert logged == ["Reaction", "Project"]
    assert "canary" not in log.getvalue()


def test_no_secret_no_name_and_no_title_is_logged(log):
    async def steps(door: Door) -> None:
        await door.post(door.webhook())
        door.fault = OptedOutError()
        await door.post(door.webhook())
        await door.post(door.webhook(data=5))

    at_the_door(steps)
    logged = log.getvalue()
    assert not re.search(f"{SECRET}|amara|Answers cite|AI-1799|@", logged)


# --- limits --------------------------------------------------------------------------------------


def test_a_body_that_is_too_long_is_refused_before_it_is_sent():
    async def steps(door: Door) -> tuple[bytes, int]:
        reader, writer = await door.connect(f"{SIGNED}Content-Length: 1000001\r\n")
        answer = await reader.readline()
        await reader.read()
        writer.close()
        return answer, await door.post(door.webhook(title="x" * 900_000))

    (first, whole), taken = at_the_door(steps)
    assert first == b"HTTP/1.1 413 Request Entity Too Large\r\n"
    assert (whole, taken) == (200, ["AI-1799"])


@pytest.mark.parametrize("length", ["\u00b2", "9" * 5_000, "-1", "1,2", "0x10"])
def test_a_length_that_is_none_is_refused_and_is_no_fault_of_ours(length, log):
    async def steps(door: Door) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, door.port)
        head = f"POST /linear HTTP/1.1\r\nHost: x\r\n{SIGNED}Content-Length: {length}\r\n\r\n"
        writer.write(head.encode("latin-1"))
        answer = await reader.readline()
        writer.close()
        return answer

    assert at_the_door(steps)[0].split()[1] == b"400"
    assert not lines_of(log, "request failed")


def test_without_a_signature_no_body_is_waited_for():
    async def steps(door: Door) -> bytes:
        reader, writer = await door.connect("Content-Length: 900000\r\n")
        answer = await reader.read()
        writer.close()
        return answer

    answer, taken = at_the_door(steps)
    assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert taken == []


@pytest.mark.parametrize("length", ["Content-Length: 900\r\n", "Transfer-Encoding: chunked\r\n"])
def test_a_slow_body_is_cut_off(monkeypatch, length):
    monkeypatch.setattr(server, "BODY_SECONDS", 0.1)

    async def steps(door: Door) -> bytes:
        reader, writer = await door.connect(SIGNED + length)
        answer = await reader.read()
        writer.close()
        return answer

    assert at_the_door(steps) == (b"", [])


def test_a_body_in_pieces_without_end_is_cut_off():
    async def steps(door: Door) -> bytes:
        reader, writer = await door.connect(f"{SIGNED}Transfer-Encoding: chunked\r\n")
        with suppress(ConnectionError):
            for _ in range(40):
                writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                await writer.drain()
            return await reader.read()
        return b""

    answer, taken = at_the_door(steps)
    assert b" 200 " not in answer
    assert taken == []


def test_a_stranger_gives_way_and_linears_connection_stays(monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 2)

    async def steps(door: Door) -> list[bytes]:
        sent = door.webhook()
        headers = f"{SIGNATURE_HEADER}: {sent.headers[SIGNATURE_HEADER]}\r\n"
        reader, writer = await door.connect(f"{headers}Content-Length: {len(sent.body)}\r\n")
        writer.write(sent.body)
        answers = [await reader.readline()]
        await reader.readuntil(b"\r\n\r\n")
        stranger, half = await door.connect(SIGNED + "Content-Length: 9\r\n")
        _, more = await door.connect(SIGNED + "Content-Length: 9\r\n")
        answers.append(await stranger.read())
        writer.write(
            f"POST /linear HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 0\r\n\r\n".encode()
        )
        answers.append(await reader.readline())
        for each in (writer, half, more):
            each.close()
        return answers

    answers, taken = at_the_door(steps)
    assert answers == [b"HTTP/1.1 200 OK\r\n", b"", b"HTTP/1.1 401 Unauthorized\r\n"]
    assert taken == ["AI-1799"]
