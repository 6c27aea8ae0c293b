"""A replay in two processes finds the same as one, with any fate of the second."""

import io
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.commands import interaction_of
from ledger.processes import second_process
from ledger.processes.second_process import SecondProcess
from projections.application import Engagements
from projections.read_model import replay
from projections.read_model.replay import Compared, Replay
from tests.benchmarks.importing import ROOT
from tests.support.strategies import Clock

PATIENCE_SECONDS = 60
USERS = 12


@pytest.fixture
def engagements(tmp_path: Path) -> Iterator[Engagements]:
    """Some users with some issues, part of them sealed."""
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=Clock()) as found:
        for issue in ("AI-1", "AI-2", "AI-1"):
            found.ledger.record_many(
                [interaction_of(f"user {number}", issue, "query") for number in range(USERS)]
            )
        found.ledger.compactor.compact(USERS + USERS // 2)
        yield found


class Asked(SecondProcess):
    """A second process that counts what it did."""

    found: list[Any]

    def result(self, of: Any = Any) -> Any:
        result = super().result(of)
        self.found.append(result)
        return result


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The results of the second process; each replay starts one."""
    Asked.found = []
    monkeypatch.setattr(replay, "SHARED_FROM", 1)
    monkeypatch.setattr(replay, "COMPARED_AT_ONCE", 10)
    monkeypatch.setattr(replay, "GROUPS_OF_EACH", 0)
    monkeypatch.setattr(replay, "SecondProcess", Asked)
    monkeypatch.setattr(Asked, "is_useful", staticmethod(lambda: True))
    return Asked.found


def replayed(engagements: Engagements) -> tuple[Replay, int]:
    told: list[int] = []
    found = engagements.maintenance.replay(repair=False, progress=told.append, afresh=True)
    return found, sum(told)


def test_both_fold_their_parts(engagements, asked):
    found, told = replayed(engagements)
    assert found == Replay(3 * USERS, 2 * USERS, None)
    assert told == 3 * USERS
    assert asked
    assert all(events and difference is None for events, _, difference in asked)


@pytest.mark.parametrize("segments", [1, 1_000])
def test_both_have_like_much_to_do_however_many_segments_there_are(
    engagements, asked, monkeypatch, segments
):
    monkeypatch.setattr(replay, "GROUPS_OF_EACH", segments)
    assert replayed(engagements)[0] == Replay(3 * USERS, 2 * USERS, None)
    assert sum(events for events, _, _ in asked) == 3 * USERS / 2


@pytest.mark.parametrize(("account", "by_second"), [(0, False), (2, True)])
def test_a_difference_is_found_in_either_part(engagements, asked, account, by_second):
    """Two accounts have five events; the second process compares every other two."""
    with engagements.ledger.database.write() as connection:
        connection.connection.cursor().execute(
            "UPDATE engagements SET queries = 9 WHERE stream = (SELECT stream FROM accounts"
            " JOIN streams ON streams.id = stream ORDER BY originator_id LIMIT 1 OFFSET ?)",
            (account,),
        )
    found, told = replayed(engagements)
    assert "queries" in str(found.difference)
    assert told == 3 * USERS
    assert any(difference for _, _, difference in asked) == by_second


def test_what_a_second_process_leaves_undone_is_done_here(engagements, asked, monkeypatch):
    begin = SecondProcess.begin

    def killed(self: SecondProcess, *arguments: Any) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_SECONDS)
        begin(self, *arguments)

    monkeypatch.setattr(SecondProcess, "begin", killed)
    found, told = replayed(engagements)
    assert (found, told) == (Replay(3 * USERS, 2 * USERS, None), 3 * USERS)
    assert set(asked) == {None}


def test_without_an_interpreter_there_is_no_second_process(engagements, asked, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert replayed(engagements)[0] == Replay(3 * USERS, 2 * USERS, None)
    assert set(asked) == {None}


@pytest.mark.parametrize("why", ["one processor", "few events"])
def test_none_is_started_where_it_is_not_worth_it(engagements, asked, monkeypatch, why):
    if why == "few events":
        monkeypatch.setattr(replay, "SHARED_FROM", 3 * USERS + 1)
    else:
        monkeypatch.setattr(Asked, "is_useful", staticmethod(lambda: False))
    monkeypatch.setattr(
        f"{second_process.__name__}.subprocess.Popen", lambda *_, **__: pytest.fail("started")
    )
    assert replayed(engagements)[0] == Replay(3 * USERS, 2 * USERS, None)
    assert asked == []


def test_a_call_that_raises_has_no_result():
    with Asked(f"{replay.__name__}:{replay.compare_accounts.__name__}") as second:
        second.found = []
        second.begin("sqlite:////nonexistent/ledger.db", "", "~")
        assert second.result() is None
        second.begin("sqlite:////nonexistent/ledger.db", "", "~")
        assert second.result() is None


def test_a_result_is_what_the_function_returns(engagements):
    Asked.found = []
    url = engagements.ledger.database.url.render_as_string(hide_password=False)
    with Asked(f"{replay.__name__}:{replay.compare_accounts.__name__}") as second:
        for _ in range(2):
            second.begin(url, "", "~")
            assert Compared(*second.result()) == Compared(3 * USERS, 2 * USERS, None)


LONGER_THAN_A_PIPE = 1_000_000


def many(size: int) -> list[int]:
    return [0] * size


def test_what_a_process_has_said_in_part_is_no_result():
    with SecondProcess(f"{__name__}:{many.__name__}") as second:
        second.begin(LONGER_THAN_A_PIPE)
        assert second._process is not None
        assert isinstance(second._process.stdout, io.BufferedReader)
        assert second._process.stdout.peek(1)  # a part of what it says
        second._process.kill()
        assert second.result() is None


_HOLDER = """
import sys
from ledger.processes.second_process import SecondProcess
second = SecondProcess("projections.read_model.replay:compare_accounts")
print(second._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open of Linux")
def test_it_ends_with_the_process_that_started_it():
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    second = os.pidfd_open(int(holder.stdout.readline()))
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert select.select([second], [], [], PATIENCE_SECONDS)[0]
    os.close(second)
