"""Recording one interaction durably, one at a time and from many tasks at once.

Ours does all of R10 (event, digest, origin, read model) with a context and a source key, in a
ledger that already holds a history; the interaction is checked and built within the time taken.
"""

import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from projections.application import Engagements, EngagementTracker
from tests.benchmarks.histories import Touch, history, interaction, source_key_of
from tests.benchmarks.ledgers import import_all, open_ledger
from tests.benchmarks.peers import BareTable, bare_table
from tests.benchmarks.report import Row, ratio
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import Measurement, alternate, rate

TASKS = 64


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure recording against bare sqlite3, and 64 tasks against the same one at a time."""
    with open_ledger(folder / "recording.db") as ours, bare_table(folder / "bare.db") as bare:
        prefill = list(history(sizes.prefilled_events, sizes.users))
        import_all(ours, prefill)
        bare.prefill(prefill)
        peer, door, single, shared = alternate(sizes.rounds, *_measurements(ours, bare, sizes))
    name = "bare sqlite3"
    return [
        ratio("record one, synchronous", "/s", door, peer, name, 0.5),
        ratio("record one, asyncio", "/s", single, peer, name, 0.4),
        ratio(f"{TASKS} tasks recording", "/s", shared, single, "one at a time", 5),
    ]


def _measurements(ours: Engagements, bare: BareTable, sizes: Sizes) -> list[Measurement]:
    ones, many = sizes.single_records, sizes.shared_records
    total = sizes.rounds * (3 * ones + many)
    touches = history(total, sizes.users, first=sizes.prefilled_events)
    return [
        lambda _: _bare_rate(bare, list(islice(touches, ones))),
        lambda _: _door_rate(ours, list(islice(touches, ones))),
        lambda _: _tasks_rate(ours, list(islice(touches, ones)), 1),
        lambda _: _tasks_rate(ours, list(islice(touches, many)), TASKS),
    ]


def _bare_rate(bare: BareTable, touches: list[Touch]) -> float:
    """Return the rate of the peer's one-row transactions."""

    def record() -> None:
        for touch in touches:
            bare.record(touch)

    return rate(len(touches), record)


def _door_rate(ours: Engagements, touches: list[Touch]) -> float:
    """Return the rate of the synchronous door, one call after another."""

    def record() -> None:
        for touch in touches:
            ours.ledger.record(interaction(touch))

    return rate(len(touches), record)


def _tasks_rate(ours: Engagements, touches: list[Touch], tasks: int) -> float:
    """Return the rate of so many tasks, each of which awaits one recording after another."""
    waiting = iter(touches)

    async def record() -> None:
        await asyncio.gather(*(_track(EngagementTracker(ours), waiting) for _ in range(tasks)))

    return rate(len(touches), lambda: asyncio.run(record()))


async def _track(tracker: EngagementTracker, touches: Iterator[Touch]) -> None:
    for touch in touches:
        await tracker.track_issue_mention(
            touch.user_id,
            touch.issue_id,
            touch.kind,
            context=touch.context,
            source_key=source_key_of(touch),
            occurred_at=touch.occurred_at,
        )
