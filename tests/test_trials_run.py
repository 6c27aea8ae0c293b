"""A run of the trials: what takes long comes first, each says what it saw, and signals end it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.trials.processes import wait_for

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 120
PLUGIN = ("-p", "tests.support.trials_plugin", "-p", "no:cacheprovider", "-p", "no:randomly")
TESTS = """
import time

import pytest

from tests.support.forks import CONTEXT


def test_short():
    print("seed 1")
    print("three kills")
    print("nothing lost")


@pytest.mark.long
def test_long():
    pass


@pytest.fixture
def left(tmp_path, pytestconfig):
    child = CONTEXT.Process(target=time.sleep, args=(600,), daemon=True)
    child.start()
    marks = pytestconfig.rootpath
    (marks / "child").write_text(str(child.pid))
    yield marks
    (marks / "cleaned").touch()


def endless(left):
    (left / "begun").touch()
    time.sleep(600)
"""


@contextmanager
def running(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run those tests in a process that ignores SIGINT, as a job in the background does."""
    (folder / "test_made_up.py").write_text(TESTS)
    (folder / "pytest.ini").write_text(
        "[pytest]\nmarkers = long\npython_functions = test_* endless\n"
    )
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *PLUGIN, *options, str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, ignored)
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_the_long_ones_come_first_and_each_trial_says_what_it_saw(tmp_path):
    with running(tmp_path, "-v", "-k", "short or long") as process:
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert said.index("test_long PASSED") < said.index("test_short PASSED")
    assert "test_short: three kills; nothing lost" in said.splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_cleans_up_and_leaves_no_process(tmp_path, number):
    with running(tmp_path, "-n", "1", "-k", "endless") as process:
        wait_for(tmp_path / "begun", process)
        process.send_signal(number)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, said
    assert (tmp_path / "cleaned").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "child").read_text()), 0)
