"""Starting processes, and ending them with SIGKILL at a moment of our choice."""

import subprocess
import sys
import time
from pathlib import Path

from tests.cli.running import ENGAGEMENT, CommandLine

PROGRAMS = (sys.executable, "-m", "tests.trials.programs")

Process = subprocess.Popen[str]


def start(cli: CommandLine, *arguments: str) -> Process:
    """Start one of tests.trials.programs on a ledger."""
    return _started(cli, [*PROGRAMS, *arguments])


def start_command(cli: CommandLine, *arguments: str) -> Process:
    """Start the command line on a ledger."""
    return _started(cli, [*ENGAGEMENT, *arguments])


def _started(cli: CommandLine, command: list[str]) -> Process:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=cli.environment(),
        cwd=cli.home,
    )


def wait_for(path: Path, process: Process) -> None:
    """Wait until there is such a file, or the process has ended."""
    while process.poll() is None and not path.exists():
        time.sleep(0.000_5)


def kill_after(process: Process, seconds: float) -> bool:
    """Kill the process then, unless it has ended; tell whether it was killed."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def lines_of(process: Process) -> list[str]:
    """The whole lines that are left on stdout, which is closed after that."""
    output, _ = process.communicate()
    return [line.rstrip("\n") for line in output.splitlines(keepends=True) if line.endswith("\n")]


def first_line(process: Process) -> str:
    """The first line on stdout, once it is there."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")
