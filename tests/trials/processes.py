"""Starting processes, and ending them with SIGKILL at a moment of our choice."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.cli.running import ENGAGEMENT, CommandLine

PROGRAMS = (sys.executable, "-m", "tests.trials.programs")
PAUSE_SECONDS = 0.000_5


class Process(subprocess.Popen[bytes]):
    """A process whose output goes to a file, so that it never waits for a reader."""

    def __init__(self, cli: CommandLine, *command: str) -> None:
        descriptor, name = tempfile.mkstemp(prefix="output-", dir=cli.home.parent)
        self.output = Path(name)
        super().__init__(
            command,
            stdin=subprocess.PIPE,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            env=cli.environment(),
            cwd=cli.home,
        )
        os.close(descriptor)


def start(cli: CommandLine, *arguments: str) -> Process:
    """Start one of tests.trials.programs on a ledger."""
    return Process(cli, *PROGRAMS, *arguments)


def start_command(cli: CommandLine, *arguments: str) -> Process:
    """Start the command line on a ledger."""
    return Process(cli, *ENGAGEMENT, *arguments)


def wait_for(path: Path, process: Process) -> None:
    """Wait until there is such a file, or the process has ended."""
    while process.poll() is None and not path.exists():
        time.sleep(PAUSE_SECONDS)


def wait_for_a_line(process: Process) -> None:
    """Wait until the process has said a whole line, or has ended."""
    while process.poll() is None and b"\n" not in process.output.read_bytes():
        time.sleep(PAUSE_SECONDS)


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
    """All whole lines that the process said until its end, which is awaited; stdin ends now."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
    lines = process.output.read_text().splitlines(keepends=True)
    return [line.rstrip("\n") for line in lines if line.endswith("\n")]
