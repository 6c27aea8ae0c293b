"""Any failure of Linear: an answer, one log line, and no word of keys, titles or people."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from bot.linear.client import Connection, Linear, connection
from bot.linear.issue import Absent, Found, Unknown
from bot.settings import Secret
from tests.support.linear_client_and_server import KEY, ClientAndServer, Scripted, run_with_server

CANARY = "canary-5180"
ISSUE = {
    "id": "5f8e",
    "identifier": "AI-1799",
    "title": CANARY,
    "updatedAt": "2026-01-01T12:00:00.000Z",
    "state": {"type": "started", "name": CANARY},
    "team": {"key": "AI", "visibility": "public"},
    "assignee": {"displayName": CANARY},
}


def scripted(body: object = None, status: int = 200, **headers: str) -> Scripted:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, json.dumps(body).encode(), named)


def error(code: str, status: int = 400, reset: str = "") -> Scripted:
    """An error that quotes the key and a title, as a careless server would."""
    extensions = {"code": code, "userPresentableMessage": CANARY}
    errors = [{"message": f"{CANARY} {KEY}", "extensions": extensions}]
    headers = {"x_ratelimit_requests_reset": reset} if reset else {}
    return scripted({"errors": errors}, status, **headers)


def issue(**changed: object) -> Scripted:
    node = {name: value for name, value in (ISSUE | changed).items() if value is not Ellipsis}
    return scripted({"data": {"issue": node}})


FAILURES = {
    "500 without a body": Scripted(500, b""),
    "500 that quotes": Scripted(500, f"{CANARY} {KEY}".encode()),
    "502 in HTML": Scripted(502, b"<html>Bad gateway</html>", {"content-type": "text/html"}),
    "503 with a time": Scripted(503, b"", {"retry-after": "120"}),
    "504": Scripted(504, b""),
    "520 of a proxy": Scripted(520, b"error code: 520"),
    "500 with data": scripted({"data": {"issue": ISSUE}}, 500),
    "cut at once": Scripted(200, b"", cut=True),
    "cut in the body": Scripted(200, json.dumps({"data": {"issue": ISSUE}}).encode(), cut=True),
    "cut in an error": Scripted(500, b"Internal", cut=True),
    "an empty body": Scripted(200, b""),
    "no JSON": Scripted(200, f"hello {CANARY}".encode()),
    "half of the JSON": Scripted(200, b'{"data": {"issue": {"id": "5f'),
    "bytes that are no text": Scripted(200, b"\xff\xfe\x00\x01"),
    "too many brackets": Scripted(200, b"[" * 200_000),
    "a number without end": Scripted(200, b'{"data": ' + b"9" * 10_000),
    "too long": Scripted(200, b" " * 200_000),
    "no gzip": Scripted(200, b"no gzip", {"content-encoding": "gzip"}),
    "a list": scripted([]),
    "a number": scripted(5),
    "null": scripted(None),
    "data is null": scripted({"data": None}),
    "data is a list": scripted({"data": [ISSUE]}),
    "data without an issue": scripted({"data": {"other": 1}}),
    "the issue is null": scripted({"data": {"issue": None}}),
    "the issue is a text": scripted({"data": {"issue": CANARY}}),
    "no identifier": issue(identifier=...),
    "no state": issue(state=None),
    "a state without a type": issue(state={"name": CANARY}),
    "a date that is none": issue(updatedAt="yesterday"),
    "another issue": issue(identifier="AI-1"),
    "errors that are none": scripted({"data": None, "errors": "x"}),
    "an error without a code": scripted({"data": None, "errors": [{"message": CANARY}]}),
    "errors of odd kinds": scripted({"errors": [None, 5, {"extensions": []}]}, 400),
    "the document is refused": error("GRAPHQL_VALIDATION_FAILED"),
    "the variables are refused": error("INVALID_INPUT"),
    "an error inside": error("INTERNAL_SERVER_ERROR", 200),
    "the key is refused": error("AUTHENTICATION_ERROR", 401),
    "the key is refused by 400": error("AUTHENTICATION_ERROR", 400),
    "forbidden": error("FORBIDDEN", 403),
    "401 without a body": Scripted(401, b""),
    "limited": error("RATELIMITED"),
    "limited until a date": error("RATELIMITED", reset="1767268890000"),
    "limited until long ago": error("RATELIMITED", reset="5"),
    "limited until a word": error("RATELIMITED", reset="soon"),
    "limited by 429": Scripted(429, b""),
    "moved elsewhere": Scripted(302, b"", {"location": "http://127.0.0.1:9/elsewhere"}),
    "moved for ever": Scripted(308, b"", {"location": "/graphql"}),
    "not there": Scripted(404, b"Not found"),
    "no content": Scripted(204, b""),
    "a teapot": Scripted(418, CANARY.encode()),
}


class Whole(logging.Formatter):
    """Everything that a record holds."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{record.levelname} {record.name} {super().format(record)}"
        return f"{line} {vars(record)!r}"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that anything logs, at the lowest level and unfiltered, with tracebacks."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Whole())
    names = (None, "httpx", "httpcore", "asyncio")
    levels = {name: logging.getLogger(name).level for name in names}
    root.addHandler(handler)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def told(log: io.StringIO) -> list[str]:
    """Our own lines; none of the others' may tell the key or a title, either."""
    lines = log.getvalue().splitlines()
    assert not [line for line in lines if CANARY in line or KEY in line]
    return [line for line in lines if line.startswith(("WARNING bot", "ERROR bot"))]


def check(log: io.StringIO, keys: list[str], *script: Scripted) -> None:
    async def steps(pair: ClientAndServer) -> None:
        pair.local.script.extend(script)
        assert await pair.linear.look_up(keys) == dict.fromkeys(keys, Unknown())

    run_with_server(steps)
    (line,) = told(log)
    assert "WARNING bot.linear.client.linear Linear not read" in line


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_an_answer_and_one_line(failure, log, monkeypatch):
    monkeypatch.setattr(connection, "BODY_LIMIT", 150_000)
    check(log, ["AI-1799"], FAILURES[failure])


OF_THE_ANSWER = {"another issue", "no identifier", "no state", "a date that is none"}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_one_line_for_many_issues_too(failure, log, monkeypatch):
    monkeypatch.setattr(connection, "BODY_LIMIT", 150_000)
    # Where the batch has an answer, each issue is asked for by itself.
    check(log, ["AI-1799", "AI-1800"], *[FAILURES[failure]] * 3)


def test_there_are_forty_failures_and_more():
    assert len(FAILURES) >= 40


def test_an_answer_that_does_not_come(log):
    async def steps(pair: ClientAndServer) -> None:
        pair.local.script.append(Scripted(held=True))
        assert (await pair.linear.look_up(["AI-1799"]))["AI-1799"] == Unknown()

    run_with_server(steps, patience_seconds=0.05)
    assert "does not answer in time" in told(log)[0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/graphql", "https://127.0.0.1:{port}/graphql"])
def test_a_port_that_is_closed_or_speaks_no_tls(log, url):
    async def steps(pair: ClientAndServer) -> None:
        port = pair.local.url.rpartition(":")[2].partition("/")[0]
        linear = Linear(Connection(url.format(port=port), Secret(KEY)))
        assert (await linear.look_up(["AI-1799"]))["AI-1799"] == Unknown()
        await linear.close()

    run_with_server(steps)
    (line,) = told(log)
    assert "cannot be reached" in line


def test_a_fault_of_our_own_is_an_answer_too(log):
    class Faulty:
        async def send(self, _):
            raise ValueError(CANARY)

        async def close(self):
            pass

    async def steps() -> None:
        assert (await Linear(Faulty()).look_up(["AI-1"]))["AI-1"] == Unknown()

    asyncio.run(steps())
    assert any("by a fault of this program" in line for line in told(log))


def test_partial_answers_give_what_they_hold(log):
    """Data beside errors: what was found is answered, and the rest is asked for again."""
    errors = [{"message": CANARY, "path": ["issues", "nodes", 0, "assignee"]}]
    body = {"data": {"issues": {"nodes": [ISSUE | {"assignee": None}]}}, "errors": errors}

    async def steps(pair: ClientAndServer) -> None:
        pair.local.script.append(scripted(body))
        answers = await pair.linear.look_up(["AI-1799", "AI-9999", "AI-1800"])
        assert isinstance(answers["AI-1799"], Found)
        assert isinstance(answers["AI-1800"], Found)
        assert answers["AI-9999"] == Absent()
        assert pair.count == 3

    run_with_server(steps)
    assert told(log) == []


def test_stopping_ends_what_is_under_way(log):
    async def steps(pair: ClientAndServer) -> None:
        pair.local.script.append(Scripted(held=True))
        await pair.linear.look_up(["AI-1799"], within_seconds=0)
        await pair.linear.close()
        assert not pair.linear.is_looking_for(["AI-1799"])

    run_with_server(steps)
    assert told(log) == []


def test_the_key_is_in_nothing_that_is_printed():
    async def steps(pair: ClientAndServer) -> None:
        await pair.linear.look_up(["AI-1799"])
        for each in (pair.linear, pair.linear._sender, vars(pair.linear._sender)):
            assert KEY not in f"{each!r} {each!s}"
        client = vars(pair.linear._sender)["_client"]
        assert KEY not in f"{client!r} {client.headers!r}"

    run_with_server(steps)
