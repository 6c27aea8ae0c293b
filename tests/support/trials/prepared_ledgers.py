"""Prepared ledgers in which compactions and merges are disturbed, and their answers."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from ledger.store.segment_rows import segments
from tests.support.trials import compaction_ledger
from tests.support.trials.compaction_ledger import Expected, wrong_after
from tests.support.trials.system_calls import Forks

PROGRAMS = ("compact", "merge")


class PreparedLedgers(NamedTuple):
    """A ledger for each program, which every run copies, and the answers of all of them."""

    prepared: dict[str, Path]
    expected: Expected
    forks: Forks
    folder: Path
    asked: Iterator[str]

    def copy(self, program: str) -> Path:
        """Replace the copy by a fresh one."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.prepared[program], self.folder)
        return self.folder

    def wrong(self, folder: Path) -> list[str]:
        """The faults of a ledger; each call asks about the next user."""
        return wrong_after(folder, self.expected, next(self.asked))

    def seconds(self, program: str) -> float:
        """The time that a program takes."""
        self.forks.begin(program, str(self.copy(program)))
        started = time.perf_counter()
        assert self.forks.end() == 0
        return time.perf_counter() - started


@contextmanager
def prepared(folder: Path) -> Iterator[PreparedLedgers]:
    """Yield them in a folder."""
    hot, sealed = folder / "hot", folder / "sealed"
    hot.mkdir()
    model = compaction_ledger.recorded(hot)
    expected = compaction_ledger.expected_of(hot, model)
    shutil.copytree(hot, sealed)
    compaction_ledger.compact(sealed, "small")
    compaction_ledger.leave_over(sealed)
    forks = Forks(folder)
    try:
        ledgers = {"compact": hot, "merge": sealed}
        yield PreparedLedgers(
            ledgers, expected, forks, folder / "copy", cycle(compaction_ledger.USERS)
        )
    finally:
        forks.close()


def sealed_segments(folder: Path) -> int:
    """The number of segments that the ledger knows."""
    with (
        compaction_ledger.opened(folder) as engagements,
        engagements.ledger.database.read() as connection,
    ):
        return len(segments(connection))


def unfinished(folder: Path) -> set[str]:
    """The unfinished files that a compaction left behind."""
    return {path.name for path in folder.glob(f"{compaction_ledger.LEDGER}.archive/*.unfinished")}


def end_at_once(pid: int) -> None:
    """Kill a process, unless it has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
