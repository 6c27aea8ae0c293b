"""Processes that are there at once: forks of one that has loaded the whole program.

Starting Python and loading the program takes more than a second, a fork a few milliseconds. Each is
a process of its own all the same: signals reach it alone, its group is its own, its locks, its
memory and its exit code are too, and it has the environment, the folder and the streams that it is
given, and nothing of what another one did.

But it is not started as people start the program: it loads nothing, and its streams are UTF-8. What
a test says of loading, of encodings or of streams that are missing, it must say of a true process.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.support.preloaded"])


class Fork:
    """`main` in a process of its own, which ends when `main` does, or with the tests."""

    def __init__(
        self,
        main: Callable[[], object],
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        output: int,
        errors: int,
    ) -> None:
        """Start it; it writes to two descriptors, and reads what is written to `stdin`."""
        reading, writing = os.pipe()
        self.stdin = os.fdopen(writing, "wb", buffering=0)
        streams = [_Passed(each) for each in (reading, output, errors)]
        self._process = CONTEXT.Process(
            target=_be, args=(main, arguments, environment, folder, streams), daemon=True
        )
        self._process.start()
        os.close(reading)

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it, or None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for its end, no longer than that, and return what `poll` does."""
        self._process.join(seconds)
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._process.pid is not None and self.poll() is None:
            os.kill(self._process.pid, number)


class _Passed:
    """A descriptor that is another one, of the same file, at the other end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _received, (DupFd(self._descriptor),)


def _received(passed: Any) -> int:
    descriptor: int = passed.detach()
    return descriptor


def _be(
    main: Callable[[], object],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    streams: Sequence[int],
) -> None:
    os.setpgrp()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    sys.argv[1:] = arguments
    main()
