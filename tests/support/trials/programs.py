"""Programs that the trials run as processes of their own.

They print one line for each thing that is done, and only once it is done.
"""

import importlib
import re
import resource
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bot import cli
from projections.application import Engagements
from tests.support.trials import compaction_ledger, fold_steps, old_keys, upgrades, webhook_intake
from tests.support.trials.numbered_interactions import Touch, touches
from tests.support.trials.numbered_observations import observe
from tests.support.trials.planted_faults import planted
from tests.support.trials.system_calls import serve

LOADED_LATE = ("numpy.ma", "pyarrow.dataset")
"""Modules that pyarrow imports when it first needs them."""


def record(url: str, name: str, count: str, threads: str = "1", reopen: str = "0") -> None:
    """Record the touches of `name`, and print each key once its event is durable.

    With `reopen`, the ledger is closed and opened again after that many touches.
    """
    todo = touches(name, int(count))
    size = int(reopen) or len(todo)
    for start in range(0, len(todo), size):
        with Engagements(url) as engagements, ThreadPoolExecutor(int(threads)) as pool:

            def record_one(touch: Touch, into: Engagements = engagements) -> str:
                into.ledger.record(touch.interaction)
                return touch.key

            for key in pool.map(record_one, todo[start : start + size]):
                say(key)


def read(url: str) -> None:
    """Replay and ask repeatedly until stdin ends; print the events of each replay."""
    reader = ThreadPoolExecutor(1)
    end = reader.submit(sys.stdin.read)
    while not end.done():
        with Engagements(url) as engagements:
            found = engagements.maintenance.replay(repair=False, progress=lambda _: None)
            engagements.questions.top("user 1")
            engagements.questions.statistics("user 1")
        say(f"{found.events} {found.difference or 'identical'}")
    reader.shutdown()


def peak(*arguments: str) -> None:
    """Run a command, and then print the peak memory of this process, in KiB."""
    try:
        run(*arguments)
    finally:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        say(found[1] if found else "")


def small_files(bytes_: str, *arguments: str) -> None:
    """Run a command with a limit on the size of files."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(bytes_), int(bytes_)))
    run(*arguments)


def faulty(fault: str, window_seconds: str, program: str, *arguments: str) -> None:
    """Run another of these programs with a planted fault, and time to kill it there."""
    with planted(fault, float(window_seconds)):
        PROGRAMS[program](*arguments)


def compact(folder: str, how: str = "") -> None:
    """Seal all events of the ledger in a folder; `how` as in `compaction_ledger.compact`."""
    compaction_ledger.compact(Path(folder), how)


def merge(folder: str, how: str = "") -> None:
    """Merge the segments of the ledger in a folder."""
    compaction_ledger.merge(Path(folder), how)


def upgrade(folder: str, how: str = "") -> None:
    """Bring the ledger in a folder up to the present version; `how` as in `upgrades.upgrade`."""
    upgrades.upgrade(Path(folder), how)


def fold(folder: str, how: str = "") -> None:
    """Fold the tail of the ledger in a folder; `how` as in `fold_steps.fold`."""
    fold_steps.fold(Path(folder), how)


def take_in(folder: str, how: str = "") -> None:
    """Deliver webhooks to the ledger in a folder; `how` as in `webhook_intake.take_in`."""
    webhook_intake.take_in(Path(folder), how)


def resolve(folder: str, how: str = "") -> None:
    """Resolve the keys of the ledger in a folder; `how` as in `old_keys.resolve`."""
    old_keys.resolve(Path(folder), how)


def forks() -> None:
    """Make a fork for each program that is named on stdin."""
    for name in LOADED_LATE:
        importlib.import_module(name)
    serve(PROGRAMS)


def run(*arguments: str) -> None:
    """Run the command line."""
    sys.argv[1:] = arguments
    cli.main()


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - it is how these programs report


PROGRAMS = {
    each.__name__: each
    for each in (
        record,
        observe,
        read,
        peak,
        small_files,
        faulty,
        compact,
        merge,
        upgrade,
        fold,
        take_in,
        resolve,
        forks,
        run,
    )
}


def main() -> None:
    """Run the program that the first argument names."""
    PROGRAMS[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
