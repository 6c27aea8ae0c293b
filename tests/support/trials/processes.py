"""Starting processes, and killing them at a chosen moment."""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from subprocess import Popen

from tests.support.command_line import CommandLine
from tests.support.forks import Fork
from tests.support.trials import programs

PROGRAMS = (sys.executable, "-m", "tests.support.trials.programs")
"""The command for programs whose memory is measured, which are no forks."""

PAUSE_SECONDS = 0.000_5


class Process(Fork):
    """One of tests.support.trials.programs on a ledger.

    Its output goes to a file, so that it never waits for a reader.
    """

    def __init__(self, cli: CommandLine, *arguments: str) -> None:
        """Start it."""
        descriptor, name = tempfile.mkstemp(prefix="output-", dir=cli.home.parent)
        self.output = Path(name)
        super().__init__(
            programs.main,
            arguments,
            environment=cli.environment(),
            folder=cli.home,
            output=descriptor,
            errors=descriptor,
        )
        os.close(descriptor)


def wait_for(path: Path, process: Process | Popen[str]) -> None:
    """Wait until the file exists, or the process has ended."""
    while process.poll() is None and not path.exists():
        time.sleep(PAUSE_SECONDS)


def wait_for_a_line(process: Process) -> None:
    """Wait until the process has printed a whole line, or has ended."""
    while process.poll() is None and b"\n" not in process.output.read_bytes():
        time.sleep(PAUSE_SECONDS)


def kill_after(process: Process, seconds: float) -> bool:
    """Kill the process after some seconds, unless it has ended; return whether it was killed."""
    if process.wait(seconds) is not None:
        return False
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def lines_of(process: Process) -> list[str]:
    """Close stdin and wait for the end of the process; return its whole lines of output."""
    process.stdin.close()
    process.wait()
    lines = process.output.read_text().splitlines(keepends=True)
    return [line.rstrip("\n") for line in lines if line.endswith("\n")]
