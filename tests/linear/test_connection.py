"""Any failure of Linear: an answer, one log line, and no word of keys, titles or people."""

import asyncio
import gzip
import io
import logging
import tracemalloc

import pytest

from bot.linear.client import Linear, TeamKeys, connection
from bot.linear.intake.catch_up import CatchUp
from bot.linear.issue import Absent, Found, Unknown
from bot.linear.line import Line
from bot.listening.issue_keys import IssueKeys
from tests.support.linear_client_and_server import KEY, ClientAndServer, Scripted, run_with_server
from tests.support.linear_failures import CANARY, FAILURES, ISSUE, log_of_everything, scripted, told

log = pytest.fixture(log_of_everything)


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


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_one_line_for_many_issues_too(failure, log, monkeypatch):
    monkeypatch.setattr(connection, "BODY_LIMIT", 150_000)
    # Where the batch has an answer, each issue is asked for by itself.
    check(log, ["AI-1799", "AI-1800"], *[FAILURES[failure]] * 3)


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_an_answer_to_the_other_questions_and_one_line(failure, log, monkeypatch):
    monkeypatch.setattr(connection, "BODY_LIMIT", 150_000)

    async def ended(_: float) -> None:
        raise asyncio.CancelledError

    async def take(_: object) -> None:
        """Record nothing."""

    async def steps(pair: ClientAndServer) -> None:
        keys = IssueKeys()
        catch_up = CatchUp(pair.linear, take, lambda: None, pair.clock)
        for question in (TeamKeys(keys).follow(pair.linear, ended), catch_up.run(ended)):
            pair.linear._line = Line()  # else it is asked once a minute
            pair.local.script.append(FAILURES[failure])
            with pytest.raises(asyncio.CancelledError):
                await question
            assert not pair.local.script
        assert keys.teams_in_linear is None

    run_with_server(steps)
    lines = told(log)
    assert ["teams of Linear" in each for each in lines] == [True, False]
    assert "changes at Linear not read" in lines[1]


def test_what_is_compressed_is_never_unpacked(log):
    """A few hundred bytes could be gigabytes, and unpacking them would stop everything."""
    bomb = gzip.compress(gzip.compress(bytes(64_000_000), 1))
    tracemalloc.start()
    check(log, ["AI-1799"], Scripted(200, bomb, {"content-encoding": "gzip, gzip"}))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 20_000_000


def test_there_are_forty_failures_and_more():
    assert len(FAILURES) >= 40


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


def test_a_key_in_a_local_variable_of_a_logged_traceback_would_be_seen(log):
    def fault(key: str) -> None:
        raise ValueError(len(key))

    try:
        fault(KEY)
    except ValueError:
        logging.getLogger("bot").debug("a fault", exc_info=True)
    with pytest.raises(AssertionError):
        told(log)
