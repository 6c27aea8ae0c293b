"""Our side: a ledger in a new file, and the batches that an import writes."""

from collections.abc import Iterable
from pathlib import Path

from ledger.clock import Clock, utc_now
from ledger.intake.history import BATCH
from projections.application import Engagements
from tests.benchmarks.histories import Touch, batches, interaction


def open_ledger(path: Path, clock: Clock = utc_now) -> Engagements:
    """Open the ledger in the file at `path`, making it where there is none."""
    return Engagements(f"sqlite:///{path}", clock=clock)


def import_all(engagements: Engagements, touches: Iterable[Touch]) -> None:
    """Record the touches in bulk as the command line does, doing all of R10, and fold them."""
    for batch in batches(touches, BATCH):
        engagements.ledger.record_bulk([interaction(touch) for touch in batch])
    engagements.ledger.fold()
