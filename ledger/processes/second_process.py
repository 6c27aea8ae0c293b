"""A second process for a part of the work: Python runs on one processor at a time.

It is a new interpreter, not one of `multiprocessing`: that would import the program's main module
again, and a script that starts a bot without asking for its name would start another bot.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Any, Self

import msgspec

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from ledger.processes.second_process import serve
serve(sys.argv[2])
"""


class SecondProcess:
    """Calls one function in a process of its own, which ends with this one.

    Arguments are plain values, and results what msgspec makes JSON of. Any failure there,
    also that it cannot be started, shows as a result that is None: the caller then does the work
    itself.
    """

    def __init__(self, function: str) -> None:
        """Start it for `function`, as `module:name`; that takes half a second."""
        command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), function]
        self._process: subprocess.Popen[bytes] | None = None
        with suppress(OSError):
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )

    @staticmethod
    def is_useful() -> bool:
        """Return whether this process may use more than one processor."""
        if hasattr(os, "sched_getaffinity"):  # macOS has none
            return len(os.sched_getaffinity(0)) > 1
        return (os.cpu_count() or 1) > 1

    def begin(self, *arguments: Any) -> None:  # noqa: ANN401 - of any function
        """Call the function, once it has started; take the result before the next call."""
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.write(msgspec.json.encode(arguments) + b"\n")
                self._process.stdin.flush()
            except OSError:
                self.close()

    def result(self, of: Any = Any) -> Any:  # noqa: ANN401 - of any function
        """Return the result of the call as a value of a type, or None if there is none."""
        line = self._line()
        if not line:
            self.close()
        return msgspec.json.decode(line, type=of) if line else None

    def close(self) -> None:
        """End it at once, also in the middle of a call."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _line(self) -> bytes:
        """Return the next line, or none where the process has ended, in the midst of it maybe."""
        if self._process is None or self._process.stdout is None:
            return b""
        line = self._process.stdout.readline()
        return line if line.endswith(b"\n") else b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(function: str) -> None:
    """Answer calls of a function until the other process has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other one is interrupted, and ends this one
    module, _, name = function.partition(":")
    call = getattr(import_module(module), name)
    replies = sys.stdout.buffer
    for line in sys.stdin.buffer:
        replies.write(msgspec.json.encode(call(*msgspec.json.decode(line))) + b"\n")
        replies.flush()
