"""Replaying hot events, and the memory that it takes.

Ours folds every event, alone and with the comparison of the whole read model. The peer reconstructs
one aggregate a user from the same history, by the package's own repository, mapper and projector,
and compares nothing.
"""

import subprocess
import sys
from collections import deque
from pathlib import Path

from projections.application import Engagements
from projections.views.replay import folds
from tests.benchmarks.histories import history
from tests.benchmarks.importing import ROOT
from tests.benchmarks.ledgers import import_all, open_ledger
from tests.benchmarks.peers import stock_store
from tests.benchmarks.report import Row, limit, ratio
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import alternate, rate

EVENTS_PER_ENGAGEMENT = 3.0
MOST_MEMORY_MIB = 512
FLAT = 0.9
"""With many times the events, memory may grow by a ninth."""


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the rate of a replay and its memory."""
    return [*_replay_rows(folder, sizes), *_memory_rows(folder, sizes)]


def _replay_rows(folder: Path, sizes: Sizes) -> list[Row]:
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
        ratio(f"{work}, fold", "/s", folded, theirs, "stock replay", 10, 18),
        ratio(f"{work}, fold and compare", "/s", compared, theirs, "stock replay", 10, 18),
    ]


def fold_everything(engagements: Engagements) -> None:
    """Fold every event, as the peer does, and compare with nothing."""
    with engagements.ledger.database.read() as connection:
        deque(folds(connection), maxlen=0)


def replay(engagements: Engagements) -> None:
    """Replay, and insist that the read model is what the events say."""
    found = engagements.replay(repair=False, progress=lambda _: None)
    if found.difference is not None:
        raise AssertionError(found.difference)


def _memory_rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Compare the peak memory of two replays, of few and of many events of as many engagements."""
    engagements = sizes.few_events / 2
    few = _peak_mib(folder / "few.db", sizes.few_events, engagements, sizes.users)
    many = _peak_mib(folder / "many.db", sizes.many_events, engagements, sizes.users)
    work = f"memory of a replay, {sizes.many_events:,} events"
    flat = ratio(f"{work}, flat", "MiB", [few], [many], f"{sizes.few_events:,} events", FLAT)
    return [limit(work, "MiB", many, MOST_MEMORY_MIB), flat]


def _peak_mib(path: Path, events: int, engagements: float, users: int) -> float:
    """Return the peak memory of a process of its own that opens such a ledger and replays it."""
    with open_ledger(path) as ours:
        import_all(ours, history(events, users, events / engagements))
    command = [sys.executable, "-m", "tests.benchmarks.peak", str(path)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout)
