"""The power fails during a compaction or a merge, on a disk of its own.

Nothing is lost, the ledger opens without help and answers as before, and the next compaction
finishes the job. The planted fault, which deletes rows before the name of their file is durable,
must be caught.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.trials.compaction_faults import SEALED
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.power_cuts import Disk, disk
from tests.support.trials.prepared_ledgers import (
    PROGRAMS,
    PreparedLedgers,
    end_at_once,
    sealed_segments,
)
from tests.support.trials.system_calls import PATIENCE_SECONDS

pytestmark = pytest.mark.trial

POWER_CUTS = count(full=100, small=2, more="COMPACTION_POWER_CUTS")


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Disk]:
    with disk(tmp_path) as mounted:
        yield mounted


def run_on(
    failing: Disk, ledgers: PreparedLedgers, meanwhile: Callable[[], object], *program: str
) -> Path:
    """Run a program on the disk until its power fails; return the folder of the ledger."""
    *words, name, how = program
    folder = failing.folder / "ledger"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ledgers.prepared[name], folder)
    failing.sync()
    pid = ledgers.forks.begin(*words, name, str(folder), how)

    def fail() -> None:
        meanwhile()
        failing.fail()
        end_at_once(pid)

    ledgers.forks.end(fail)
    failing.restart()
    return folder


@pytest.mark.long
def test_whenever_the_power_fails_nothing_is_lost(ledgers, failing):
    dice, begun = chance(), Counter[int]()
    longest = {program: ledgers.seconds(program) for program in PROGRAMS}
    for _ in range(POWER_CUTS):
        program, how = dice.choice(PROGRAMS), dice.choice(("", "worn", "whole", "worn whole"))
        seconds = dice.uniform(0, 1.5 * longest[program])
        folder = run_on(failing, ledgers, partial(time.sleep, seconds), program, how)
        begun[sealed_segments(folder)] += 1
        assert ledgers.wrong(folder) == [], (program, how, seconds)
    tell(f"{POWER_CUTS} power cuts; segments left, and how often: {sorted(begun.items())}")


def test_a_name_that_is_not_durable_is_caught(ledgers, failing):
    program = ("faulty", "folder-not-synced", f"{PATIENCE_SECONDS}", "compact", "worn whole")

    def until_sealed() -> None:
        # Asking the ledger itself would let the log grow, which writes the journal.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while SEALED not in ledgers.forks.said.read_text() and time.monotonic() < deadline:
            time.sleep(0.01)

    folder = run_on(failing, ledgers, until_sealed, *program)
    assert "MissingSegmentError" in " ".join(ledgers.wrong(folder))
