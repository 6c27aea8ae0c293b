"""Any failure of Linear on the command line: an answer, and no word of keys, titles or people."""

from collections.abc import Iterator

import pytest

from bot.linear.client import connection
from bot.linear.demo import LocalLinear, invented
from tests.support.command_line import NOON, CommandLine
from tests.support.linear_failures import CANARY, FAILURES
from tests.support.linear_server import LinearServer, serving

COMMANDS = (
    ("top", "ana"),
    ("top", "ana", "--json"),
    ("history", "ana"),
    ("history", "ana", "--json"),
    ("report", "-o", "/dev/stdout"),
    ("issue", "AI-1799"),
    ("issue", "AI-1799", "--json"),
    ("issue", "AI-1799", "WEB-7"),
    ("doctor",),
    ("doctor", "--json"),
)
LISTS = 5
"""The number of commands, the first ones, that show no more of Linear's answers than titles."""


@pytest.fixture(scope="module")
def served() -> Iterator[LinearServer]:
    with serving(LocalLinear(invented(NOON), lambda: NOON)) as started:
        yield started


@pytest.fixture
def touched(cli: CommandLine) -> CommandLine:
    """A command line whose ledger has touches, and which does not lead to Linear yet."""
    for issue in ("AI-1799", "OPS-3", "AI-9999"):
        assert cli("record", "ana", issue, "query", "--at", "2026-01-30T12:00Z").code == 0
    return cli


def test_each_failure_is_answered_and_the_key_is_in_no_output(touched, served, monkeypatch, log):
    monkeypatch.setattr(connection, "BODY_LIMIT", 150_000)
    without = [touched(*command) for command in COMMANDS[:LISTS]]
    touched.settings |= served.settings
    for number, (name, failure) in enumerate(FAILURES.items()):
        served.local.script.extend([failure] * 4)
        chosen = number % len(COMMANDS)
        done = touched(*COMMANDS[chosen])
        served.local.script.clear()
        assert (done.code, bool(done.out)) in {(0, True), (1, True)}, name
        assert chosen >= LISTS or done.out == without[chosen].out, name
        for word in ("Traceback", CANARY, served.local.key):
            assert word not in done.out + done.err, name
    logged = log.getvalue()
    assert "Linear not read" in logged
    assert CANARY not in logged
    assert served.local.key not in logged
