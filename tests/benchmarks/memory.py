"""The memory of a replay, which is to stay flat while events grow and engagements do not.

The many events are made of few: an imported history is repeated inside the database, at positions
and versions of its own, and the read model is rebuilt. Its sources and origins are not
repeated, since no replay reads them.
"""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.benchmarks.histories import history
from tests.benchmarks.importing import ROOT
from tests.benchmarks.ledgers import import_all, open_ledger
from tests.benchmarks.report import Row, limit, ratio
from tests.benchmarks.sizes import Sizes

EVENTS_PER_ENGAGEMENT = 2.0
MOST_MIB = 512
FLAT = 0.8
"""The sort's cache is full with few events already; with many, memory may grow by a quarter."""


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the peak memory of two replays, of few and of many events of as many engagements."""
    path = folder / "memory.db"
    with open_ledger(path) as ours:
        import_all(ours, history(sizes.repeated_events, sizes.users, EVENTS_PER_ENGAGEMENT))
    few = _peak_mib(path, sizes.repeated_events, sizes.repeated_events, sizes.few_events)
    many = _peak_mib(path, sizes.repeated_events, sizes.few_events, sizes.many_events)
    work = f"memory of a replay, {sizes.many_events:,} events"
    return [
        limit(work, "MiB", many, MOST_MIB),
        ratio(f"{work}, flat", "MiB", [few], [many], f"{sizes.few_events:,} events", FLAT),
    ]


def _peak_mib(path: Path, first: int, present: int, wanted: int) -> float:
    """Repeat the `first` events up to `wanted`, and return the peak memory of a replay.

    A process of its own opens the ledger and replays it.
    """
    _repeat(path, first, range(present // first, wanted // first))
    with open_ledger(path) as ours:
        ours.maintenance.replay(repair=True, progress=lambda _: None)
    command = [sys.executable, "-m", "tests.benchmarks.peak", str(path)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout)


def _repeat(path: Path, events: int, times: range) -> None:
    """Copy the first `events` once for each of `times`, past the guards of this one ledger.

    The copies have no checksums, as rows of older versions have none: what verifies the ledger
    before it is folded again takes them as they are.
    """
    with closing(sqlite3.connect(path)) as connection:
        guards = _all(connection, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(
            "CREATE TEMP TABLE counted AS SELECT stream, COUNT(*) AS events FROM events "
            "WHERE position <= ? GROUP BY stream",
            (events,),
        )
        columns = [name for _, name, *_ in _all(connection, "PRAGMA table_info(events)")]
        shifted = {
            "position": f"position + ? * {events}",
            "version": "version + ? * (SELECT events FROM counted WHERE stream = e.stream)",
            "checksum": "NULL",
        }
        chosen = ", ".join(shifted.get(name, name) for name in columns)
        source = f"SELECT {chosen} FROM events e WHERE position <= {events}"  # noqa: S608 - no input
        connection.executemany(
            f"INSERT INTO events {source}", [(number, number) for number in times]
        )
        connection.execute(
            "UPDATE head SET checksum = NULL, position = (SELECT MAX(position) FROM events)"
        )
        connection.execute(
            "UPDATE streams SET checksum = NULL, "
            "version = (SELECT MAX(version) FROM events WHERE stream = streams.id)"
        )
        for _, sql in guards:
            connection.execute(sql)
        connection.commit()


def _all(connection: sqlite3.Connection, query: str) -> list[tuple[str, ...]]:
    return connection.execute(query).fetchall()
