"""Recording one interaction durably, one at a time and from many tasks at once.

Ours does all of R10 (event, digest, origin, folding in the background) with a context and a
source key, in a ledger that already holds a history; the interaction is checked and built within
the time taken.
"""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

import msgspec

from projections.application import Engagements, EngagementTracker
from tests.benchmarks.histories import Touch, history, interaction, source_key_of
from tests.benchmarks.ledgers import import_all, open_ledger
from tests.benchmarks.peers import BareTable, bare_table
from tests.benchmarks.report import Row, at_most, limit, ratio
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import Measurement, alternate, cpu_us, rate

TASKS = 64

SYNCHRONOUS, ASYNCIO, SHARED, PROCESSOR = (0.6, 0.75), 0.45, 3, 5

TELLING_US = (80, 400)
"""The time of a durable transaction of bare sqlite3, on disks that are slow enough to compare."""

_LOGGED = 20


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure recording against bare sqlite3, and 64 tasks against the same one at a time."""
    with open_ledger(folder / "recording.db") as ours, bare_table(folder / "bare.db") as bare:
        prefill = list(history(sizes.prefilled_events, sizes.users))
        import_all(ours, prefill)
        bare.prefill(prefill)
        touches = _touches(sizes)
        rates = alternate(sizes.rounds, *_measurements(ours, bare, touches, sizes))
        peer, door, single, shared, peer_cpu, door_cpu = rates
        bytes_each = _log_bytes(folder, ours, bare, touches)
    name = "bare sqlite3"
    durable = [
        ratio("record one, synchronous", "/s", door, peer, name, *SYNCHRONOUS),
        ratio("record one, asyncio", "/s", single, peer, name, ASYNCIO),
        ratio(f"{TASKS} tasks recording", "/s", shared, peer, f"{name}, one at a time", SHARED),
    ]
    return [
        *(msgspec.structs.replace(row, doubt=_doubt(peer)) for row in durable),
        at_most("record one, processor time", "µs", door_cpu, peer_cpu, name, PROCESSOR),
        limit(
            "record one, bytes of the log", "B", bytes_each[0], peer=bytes_each[1], peer_name=name
        ),
    ]


def _doubt(peer: list[float]) -> str:
    """Return that the disk is too fast or too slow to tell, if so."""
    fastest, slowest = TELLING_US
    return "" if fastest <= 1e6 / median(peer) <= slowest else "the disk cannot tell"


def _touches(sizes: Sizes) -> Iterator[Touch]:
    total = sizes.rounds * (5 * sizes.single_records + sizes.shared_records) + 2 * _LOGGED
    return history(total, sizes.users, first=sizes.prefilled_events)


def _measurements(
    ours: Engagements, bare: BareTable, touches: Iterator[Touch], sizes: Sizes
) -> list[Measurement]:
    ones, many = sizes.single_records, sizes.shared_records
    return [
        lambda _: rate(ones, _bare(bare, islice(touches, ones))),
        lambda _: rate(ones, _door(ours, islice(touches, ones))),
        lambda _: _tasks_rate(ours, list(islice(touches, ones)), 1),
        lambda _: _tasks_rate(ours, list(islice(touches, many)), TASKS),
        lambda _: cpu_us(ones, _bare(bare, islice(touches, ones))),
        lambda _: cpu_us(ones, _door(ours, islice(touches, ones))),
    ]


def _bare(bare: BareTable, touches: Iterator[Touch]) -> Callable[[], None]:
    """Return what records in the peer's one-row transactions."""
    return partial(_each, bare.record, list(touches))


def _door(ours: Engagements, touches: Iterator[Touch]) -> Callable[[], None]:
    """Return what records by the synchronous door, one call after another."""
    return partial(_each, lambda touch: ours.ledger.record(interaction(touch)), list(touches))


def _each(record: Callable[[Touch], object], touches: list[Touch]) -> None:
    for touch in touches:
        record(touch)


def _log_bytes(
    folder: Path, ours: Engagements, bare: BareTable, touches: Iterator[Touch]
) -> tuple[float, float]:
    """Return how many bytes of write-ahead log one record takes, ours and the peer's."""
    ours.ledger.database.truncate_log()
    bare.truncate_log()
    _door(ours, islice(touches, _LOGGED))()
    _bare(bare, islice(touches, _LOGGED))()
    logs = (folder / "recording.db-wal", folder / "bare.db-wal")
    mine, theirs = (log.stat().st_size / _LOGGED for log in logs)
    return mine, theirs


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
