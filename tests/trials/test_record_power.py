"""The power fails while interactions are recorded one by one: what was acknowledged is there.

The ledger lies on a disk of its own, an ext4 on a loop device, whose journal is not written by
itself. A ledger that does not wait for the disk at each commit has to be caught.
"""

import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from unittest import mock

import pytest

from ledger.errors import LedgerError
from ledger.store import sqlite
from projections.application import Engagements
from tests.forked import CONTEXT
from tests.trials import checker
from tests.trials.power import Disk, disk
from tests.trials.sizes import chance, count, tell
from tests.trials.touches import Touch, touches

pytestmark = pytest.mark.trial

POWER_CUTS = count(full=100, small=3)
LONGEST_LIFE_SECONDS = 0.4
PATIENCE_SECONDS = 30.0
AT_LEAST = 5
"""So many are acknowledged before the power may fail."""
FULL = "synchronous=FULL"


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Disk]:
    with disk(tmp_path) as mounted:
        yield mounted


def record_all(ledger: Path, todo: list[Touch], told: Connection, synchronous: str) -> None:
    """Record one after the other; tell of each that was acknowledged."""
    pragmas = tuple(each.replace(FULL, synchronous) for each in sqlite._PRAGMAS)
    with mock.patch.object(sqlite, "_PRAGMAS", pragmas):
        engagements = Engagements(f"sqlite:///{ledger}", patience_seconds=1)
        told.send(-1)
        for number, touch in enumerate(todo):
            try:
                engagements.ledger.record(touch.interaction)
            except (LedgerError, OSError):
                return
            told.send(number)


def acknowledged_until_the_power_fails(
    failing: Disk, ledger: Path, todo: list[Touch], seconds: float, synchronous: str = FULL
) -> list[Touch]:
    """Let the power fail so many seconds after the first record; return what was acknowledged."""
    heard, told = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=record_all, args=(ledger, todo, told, synchronous))
    process.start()
    told.close()
    assert heard.recv() == -1
    numbers = told_within(heard, seconds)
    failing.fail()
    process.kill()
    process.join(PATIENCE_SECONDS)
    failing.restart()
    return [todo[number] for number in numbers]


def told_within(heard: Connection, seconds: float) -> list[int]:
    """What was told by then, and at least so much; after the power failed nobody would hear it."""
    numbers: list[int] = []
    until = time.monotonic() + seconds
    while len(numbers) < AT_LEAST or time.monotonic() < until:
        if heard.poll(PATIENCE_SECONDS if len(numbers) < AT_LEAST else 0.001):
            numbers.append(heard.recv())
    return numbers


def missing(ledger: Path, acknowledged: list[Touch]) -> list[str]:
    """The acknowledged ones that are not there, by asking to record them once more."""
    with Engagements(f"sqlite:///{ledger}") as engagements:
        assert engagements.replay(repair=False, progress=lambda _: None).difference is None
        receipts = engagements.ledger.record_many([touch.interaction for touch in acknowledged])
        return [
            touch.key
            for touch, receipt in zip(acknowledged, receipts, strict=True)
            if getattr(receipt, "counted", True)
        ]


def test_whenever_the_power_fails_what_was_acknowledged_is_there(failing):
    dice, total = chance(), 0
    for cut in range(POWER_CUTS):
        ledger = failing.folder / "home" / "ledger.db"
        todo = touches(f"cut{cut}", 1_000)
        seconds = dice.uniform(0, LONGEST_LIFE_SECONDS)
        acknowledged = acknowledged_until_the_power_fails(failing, ledger, todo, seconds)
        assert missing(ledger, acknowledged) == [], seconds
        total += len(acknowledged)
    with checker.opened(failing.folder / "home" / "ledger.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    tell(f"{POWER_CUTS} power cuts, {total:,} interactions were acknowledged, none is missing")


@pytest.mark.parametrize("synchronous", ["synchronous=NORMAL", "synchronous=OFF"])
def test_a_ledger_that_does_not_wait_for_the_disk_is_caught(failing, synchronous):
    ledger = failing.folder / "ledger.db"
    with Engagements(f"sqlite:///{ledger}"):
        pass
    failing.sync()
    todo = touches("fault", 2_000)
    acknowledged = acknowledged_until_the_power_fails(failing, ledger, todo, 0.1, synchronous)
    assert missing(ledger, acknowledged)
