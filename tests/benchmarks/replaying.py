"""Replaying hot events.

Ours folds every event, alone and with the comparison of the whole read model. The peer reconstructs
one aggregate a user from the same history, by the package's own repository, mapper and projector,
and compares nothing.
"""

from collections import deque
from pathlib import Path

from projections.application import Engagements
from projections.read_model.full_fold import folds
from tests.benchmarks.histories import history
from tests.benchmarks.ledgers import import_all, open_ledger
from tests.benchmarks.peers import stock_store
from tests.benchmarks.report import Row, ratio
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import alternate, rate

EVENTS_PER_ENGAGEMENT = 3.0


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure how many events of the same history a second each replays."""
    events = sizes.replayed_events
    touches = list(history(events, sizes.users, EVENTS_PER_ENGAGEMENT))
    with open_ledger(folder / "replay.db") as ours, stock_store(folder / "stock.db") as stock:
        import_all(ours, touches)
        stock.append(touches)
        folded, compared, theirs = alternate(
            sizes.slow_rounds,
            lambda _: rate(events, lambda: fold_everything(ours)),
            lambda _: rate(events, lambda: replay(ours)),
            lambda _: rate(events, stock.replay),
        )
    work = f"replay {events:,} hot events"
    return [
        ratio(f"{work}, fold", "/s", folded, theirs, "stock replay", 10, 15),
        ratio(f"{work}, fold and compare", "/s", compared, theirs, "stock replay", 10, 15),
    ]


def fold_everything(engagements: Engagements) -> None:
    """Fold every event, as the peer does, and compare with nothing."""
    with engagements.ledger.database.read() as connection:
        deque(folds(connection, engagements.ledger.archive), maxlen=0)


def replay(engagements: Engagements) -> None:
    """Replay, and insist that the read model is what the events say."""
    found = engagements.maintenance.replay(repair=False, progress=lambda _: None)
    if found.difference is not None:
        raise AssertionError(found.difference)
