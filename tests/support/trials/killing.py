"""Killing a program at every system call that changes anything, each time on a fresh copy.

Trials differ in the ledger, in the program, and in the questions that they ask afterwards.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.support.trials.counts import chance, tell
from tests.support.trials.system_calls import KILL, KILLED, Forks


def copied(folder: Path) -> Path:
    """Replace the copy of a ledger's folder by a fresh one."""
    copy = folder.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(folder, copy))


def expect_unharmed(
    forks: Forks,
    program: Sequence[str],
    folder: Path,
    answers_of: Callable[[Path], Any],
    kills: int,
) -> None:
    """Assert that a ledger says the same after a kill at any system call, or at random ones.

    `program` is the name of a program and its arguments after the folder.
    """
    expected, found = answers_of(copied(folder)), Counter[str]()
    assert expected.findings == []
    for call, number in _places(forks, program, folder)[:kills]:
        copy = copied(folder)
        run = forks.disturbed(KILL, call, number, program[0], str(copy), *program[1:])
        assert run.code in {0, KILLED}, forks.said.read_text()
        assert answers_of(copy) == expected, run.call
        found.update([run.name] if run.call else [])
    assert found
    tell(f"{' '.join(program)} {folder.name}: {found.total()} kills: {dict(found.most_common())}")


def _places(forks: Forks, program: Sequence[str], folder: Path) -> list[tuple[str, int]]:
    """All system calls of the program, by kind and number, in random order."""
    calls = forks.calls(program[0], str(copied(folder)), *program[1:])
    places = [(call, each) for call, times in calls.items() for each in range(1, times + 1)]
    chance().shuffle(places)
    return places


def killed_at_syncs(
    forks: Forks, program: str, folder: Path, fault: str
) -> Iterator[tuple[int, Path]]:
    """Kill a faulty program at each sync in turn; yield the number of the sync and the copy."""
    for number in range(1, 100):
        copy = copied(folder)
        run = forks.disturbed(KILL, "fdatasync", number, program, str(copy), fault)
        assert run.call, "the planted fault was not caught"
        yield number, copy
