"""A fork is a process of its own: it has what it is given and nothing else, and ends alone."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.forks import Fork

PATIENCE_SECONDS = 60


def tell() -> None:
    """Say what there is, once stdin ends."""
    words = sys.stdin.read()
    given = {"arguments": sys.argv[1:], "folder": str(Path.cwd()), "environment": dict(os.environ)}
    print(json.dumps(given | {"words": words, "leads": os.getpgrp() == os.getpid()}))  # noqa: T201 - to its own stdout
    sys.stderr.write("told")


def leave_a_trace() -> None:
    """Change what a process has."""
    os.environ["TRACE"] = sys.argv[1] = "trace"
    os.chdir("/")


def end() -> None:
    """End with the code of the first argument, or badly."""
    sys.exit(int(sys.argv[1]))


def spin() -> None:
    """Ignore all signals that can be ignored."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path("spinning").touch()
    while True:
        time.sleep(PATIENCE_SECONDS)


@pytest.fixture
def begin(tmp_path):
    """Start forks that write to two files, and hear no more at the end."""
    with ExitStack() as opened:
        out, err = (opened.enter_context((tmp_path / name).open("w")) for name in ("out", "err"))
        given = {"environment": {"GIVEN": "given"}, "folder": tmp_path}

        def start(main: Callable[[], object], *arguments: str) -> Fork:
            fork = Fork(main, arguments, **given, output=out.fileno(), errors=err.fileno())
            opened.enter_context(fork.stdin)
            return fork

        yield start


def test_a_fork_has_what_it_is_given_and_nothing_of_another_one(begin, tmp_path):
    assert begin(leave_a_trace, "one").wait(PATIENCE_SECONDS) == 0
    fork = begin(tell, "one", "two")
    fork.stdin.write("wörds\n".encode())
    assert fork.poll() is None
    fork.stdin.close()
    assert fork.wait(PATIENCE_SECONDS) == 0
    assert json.loads((tmp_path / "out").read_text()) == {
        "arguments": ["one", "two"],
        "folder": str(tmp_path),
        "environment": {"GIVEN": "given"},
        "words": "wörds\n",
        "leads": True,
    }
    assert (tmp_path / "err").read_text() == "told"


def test_its_exit_code_is_its_own(begin, tmp_path):
    assert begin(end, "7").wait(PATIENCE_SECONDS) == 7
    assert begin(end, "seven").wait(PATIENCE_SECONDS) == 1
    assert "ValueError" in (tmp_path / "err").read_text()


def test_it_is_killed_alone(begin, tmp_path):
    other, fork = begin(tell), begin(spin)
    while not (tmp_path / "spinning").exists():
        assert fork.poll() is None
    fork.send_signal(signal.SIGTERM)
    fork.send_signal(signal.SIGKILL)
    assert fork.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    assert other.poll() is None
    other.stdin.close()
    assert other.wait(PATIENCE_SECONDS) == 0
