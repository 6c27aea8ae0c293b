"""Additions of `make trials` to pytest: an order, a line for each trial, and an end that cleans up.

A plugin of pytest, for the process that hands the tests out and for those that run them.
"""

import os
import signal
from contextlib import suppress
from typing import Any, NoReturn

import pytest

SIGNALS = (signal.SIGINT, signal.SIGTERM)
WORKERS = pytest.StashKey[list[int]]()
"""The processes that run the tests."""


def pytest_configure(config: pytest.Config) -> None:
    """End on either signal, also as a job in the background, where shells ignore SIGINT."""
    config.stash[WORKERS] = []
    for number in SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(*_: object) -> NoReturn:
    for number in SIGNALS:  # a second one would break the cleaning up off
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@pytest.hookimpl(optionalhook=True)
def pytest_testnodeready(node: Any) -> None:
    """Note a process that runs tests."""
    node.config.stash[WORKERS].append(node.gateway._io.popen.pid)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Interrupt the tests that are running, which the library would do five seconds later."""
    for worker in session.config.stash[WORKERS] * (exitstatus == pytest.ExitCode.INTERRUPTED):
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGINT)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take long, so that all processes end at about the same time."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in a line for each trial what it saw."""
    terminalreporter.section("seen")
    for report in sorted(terminalreporter.getreports("passed"), key=lambda each: each.nodeid):
        seen = [line for line in report.capstdout.splitlines() if not line.startswith("seed ")]
        if seen:
            terminalreporter.write_line(f"{report.nodeid.partition('::')[2]}: {'; '.join(seen)}")
