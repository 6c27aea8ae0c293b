"""Runs of a program that are killed, or fail, at a chosen system call.

Starting Python takes longer than a compaction, so one process, which has loaded all modules, makes
a fork for every run, and only the calls of the program itself are counted. The faults are
injected by strace.
"""

import functools
import gc
import json
import os
import re
import shutil
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest

from ledger.errors import LedgerError

CHANGING = (
    "write,pwrite64,writev,pwritev,pwritev2,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,"
    "link,linkat,symlink,unlink,unlinkat,rmdir,ftruncate,truncate,fallocate,copy_file_range,"
    "sendfile,chmod,fchmod,fchmodat,utimensat,fsync,fdatasync,sync_file_range,msync"
)
"""The system calls that write, make, rename, sync or delete; openat, because it makes files."""

KILL, EIO, ENOSPC = "signal=KILL", "error=EIO", "error=ENOSPC"

REFUSED, BROKEN, KILLED = 1, 3, -9
"""Exit codes of runs that do not succeed: refused as intended, another exception, killed."""

_CALL = re.compile(r"^\d+ +(\w+)\((.*)", re.MULTILINE)
_INJECTED = re.compile(r"^\d+ +(?:(\w+)\(|<\.\.\. (\w+) resumed>)(.*\(INJECTED\).*)", re.MULTILINE)
"""A line about an injected fault, also where another thread's call interrupted the call."""

PATIENCE_SECONDS = 60

GO = b"go"
"""The line that a fork waits for."""


class Run(NamedTuple):
    """The exit code of a run, and the system call that was disturbed, if it was reached."""

    code: int
    call: str | None

    @property
    def name(self) -> str:
        """The name of the disturbed system call."""
        return str(self.call).partition("(")[0]


class Forks:
    """A process that makes a fork for every run of one of `tests.support.trials.programs`."""

    def __init__(self, folder: Path) -> None:
        """Keep the output of strace and of the programs in `folder`."""
        self._log, self.said = folder / "strace.log", folder / "said.log"
        with self.said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.trials.programs", "forks"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )

    def begin(self, *program: str) -> int:
        """Make a fork for a program, which waits until it may start; return its process id."""
        self._tell(json.dumps(program))
        return int(self._line())

    def end(self, meanwhile: Callable[[], object] = lambda: None) -> int:
        """Let the fork go on; return its exit code."""
        self._tell(GO.decode())
        meanwhile()
        return int(self._line())

    def calls(self, *program: str) -> Counter[str]:
        """Run a program undisturbed; return the number of its system calls by name."""
        with _traced(self.begin(*program), self._log, f"trace={CHANGING}"):
            assert self.end() == 0, self.said.read_text()
        return Counter(name for name, _ in _CALL.findall(self._log.read_text(errors="replace")))

    def disturbed(self, how: str, call: str, number: int, *program: str) -> Run:
        """Run a program, and disturb its system call of the given name and number."""
        pid = self.begin(*program)
        with _traced(pid, self._log, f"trace={call}", f"inject={call}:{how}:when={number}"):
            code = self.end()
        return Run(code, _disturbed(self._log.read_text(errors="replace")))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        with self._process:
            self._process.stdin.close()
            self._process.wait(PATIENCE_SECONDS)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.said.read_text()
        return line


@contextmanager
def _traced(pid: int, log: Path, *expressions: str) -> Iterator[None]:
    """Attach strace to a waiting process; afterwards wait until strace has ended."""
    command = ["strace", "-f", "-o", str(log), "-p", str(pid)]
    command += [word for each in expressions for word in ("-e", each)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        attached = tracer.stderr.readline()
        assert "attached" in attached, attached
        yield
        tracer.wait(PATIENCE_SECONDS)


def _disturbed(log: str) -> str | None:
    """The system call that strace disturbed; in a killed program the last one, never completed."""
    injected = [f"{begun or resumed}({rest}" for begun, resumed, rest in _INJECTED.findall(log)]
    if injected or "killed by SIGKILL" not in log:
        return injected[0] if injected else None
    name, rest = _CALL.findall(log)[-1]
    return f"{name}({rest}"


@functools.cache
def cannot_trace() -> str | None:
    """The reason why no system call can be disturbed on this machine, if there is one."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    command = ["strace", "-f", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"strace may not trace: {done.stderr.strip()}" if done.returncode else None


needs_strace = pytest.mark.skipif(
    cannot_trace() is not None, reason=f"no system call can be disturbed: {cannot_trace()}"
)


# --- within the process --------------------------------------------------------------------------


def serve(programs: Mapping[str, Callable[..., object]]) -> None:
    """Make a fork for every line on stdin; print its process id, and later its exit code."""
    gc.freeze()  # a collection in a fork would copy all objects
    while lines := os.read(0, 65_536).splitlines():
        if lines[-1] == GO:  # left by a fork that was killed before it read it
            continue
        pid = os.fork()
        if not pid:
            _be(programs, json.loads(lines[-1]))
        os.write(1, f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _be(programs: Mapping[str, Callable[..., object]], program: list[Any]) -> NoReturn:
    """Wait for the line, run the program, and exit without Python's own clean-up."""
    code = 0
    os.read(0, 65_536)
    try:
        name, *arguments = program
        programs[name](*arguments)
    except LedgerError as error:
        code = REFUSED
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    except BaseException:  # noqa: BLE001 - the trial reports any error
        code = BROKEN
        traceback.print_exc()
    os._exit(code)
