"""The power fails while interactions are recorded one by one: what was acknowledged is there.

The ledger is on a disk of its own, an ext4 on a loop device whose journal is not written
periodically. The planted fault, which does not wait for the disk at each commit, must be caught.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from unittest import mock

import pytest

from ledger.errors import LedgerError
from ledger.store import sqlite
from projections.application import Engagements
from tests.support.forks import CONTEXT
from tests.support.trials import invariants
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.numbered_interactions import Touch, touches
from tests.support.trials.power_cuts import Disk, disk

pytestmark = pytest.mark.trial

POWER_CUTS = count(full=100, small=2)
FEWEST, MOST = 5, 400
"""Limits of the acknowledgements before the power fails; a count suits machines of any speed."""
MORE_THAN_FIT = 5_000
"""More acknowledgements than a pipe of 64 KiB holds; when it is full, the process waits."""
PATIENCE_SECONDS = 30.0
FULL = "synchronous=FULL"


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Disk]:
    with disk(tmp_path) as mounted:
        yield mounted


def record_all(ledger: Path, todo: list[Touch], acknowledged: Connection, synchronous: str) -> None:
    """Record one by one, send each acknowledged interaction, and wait to be killed."""
    pragmas = tuple(each.replace(FULL, synchronous) for each in sqlite._PRAGMAS)
    with mock.patch.object(sqlite, "_PRAGMAS", pragmas):
        engagements = Engagements(f"sqlite:///{ledger}", patience_seconds=1)
        for touch in todo:
            try:
                engagements.ledger.record(touch.interaction)
            except (LedgerError, OSError):
                return
            acknowledged.send((touch, time.monotonic()))
        signal.pause()


def acknowledged_until_the_power_fails(
    failing: Disk, ledger: Path, todo: list[Touch], after: int, synchronous: str
) -> list[Touch]:
    """Let the power fail after some acknowledgements; return the touches acknowledged before.

    The process is often ahead of the reader, so the rest of the pipe is read as well. What is
    acknowledged later is left out: a sync that is under way when ext4 is shut down returns success
    on Linux 6.18, though nothing was written, as bare appends with `fdatasync` show as well.
    """
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=record_all, args=(ledger, todo, sender, synchronous))
    process.start()
    sender.close()
    acknowledged = [receiver.recv() for _ in range(after)]
    failed_at = time.monotonic()
    failing.fail()
    process.kill()
    process.join(PATIENCE_SECONDS)
    failing.restart()
    with suppress(EOFError):
        while True:
            acknowledged.append(receiver.recv())
    return [touch for touch, at in acknowledged if at < failed_at]


def missing(ledger: Path, acknowledged: list[Touch]) -> list[str]:
    """The acknowledged touches that are missing, found by recording them again."""
    with Engagements(f"sqlite:///{ledger}") as engagements:
        assert (
            engagements.maintenance.replay(repair=False, progress=lambda _: None).difference is None
        )
        receipts = engagements.ledger.record_many([touch.interaction for touch in acknowledged])
        return [
            touch.key
            for touch, receipt in zip(acknowledged, receipts, strict=True)
            if getattr(receipt, "counted", True)
        ]


def test_whenever_the_power_fails_what_was_acknowledged_is_there(failing):
    dice, total = chance(), 0
    for cut in range(POWER_CUTS):
        ledger, after = failing.folder / "home" / "ledger.db", dice.randint(FEWEST, MOST)
        todo = touches(f"cut{cut}", MORE_THAN_FIT)
        acknowledged = acknowledged_until_the_power_fails(failing, ledger, todo, after, FULL)
        assert missing(ledger, acknowledged) == [], after
        total += len(acknowledged)
    with invariants.opened(failing.folder / "home" / "ledger.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    tell(f"{POWER_CUTS} power cuts, {total:,} interactions were acknowledged, none is missing")


@pytest.mark.parametrize("synchronous", ["synchronous=NORMAL", "synchronous=OFF"])
def test_a_ledger_that_does_not_wait_for_the_disk_is_caught(failing, synchronous):
    ledger, few = failing.folder / "ledger.db", 20  # the first checkpoint would wait for the disk
    with Engagements(f"sqlite:///{ledger}"):
        pass
    failing.sync()
    todo = touches("fault", few)
    acknowledged = acknowledged_until_the_power_fails(failing, ledger, todo, few, synchronous)
    assert missing(ledger, acknowledged)
