"""Replaying archived events: all segments folded to one row an engagement, with all that it holds.

DuckDB and Polars compute the same columns from the same files; ours checks each block that it reads
besides, and gives the engagements in their order. The peer is whichever of them is faster. Memory
is that of a process of its own.
"""

import subprocess
import sys
from pathlib import Path

from ledger.segment import Segment
from ledger.store.compaction import MERGED_EVENTS
from ledger.store.database import Database
from projections.views.folding import folded_tables
from tests.benchmarks.archived_peers import duckdb_engagements, polars_engagements
from tests.benchmarks.generated_ledger import write_sealed
from tests.benchmarks.importing import ROOT
from tests.benchmarks.peak import peak_mib
from tests.benchmarks.report import Row, limit, ratio
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import alternate, rate

MOST_MIB = 512
COMMITMENT_BYTES = 32

_SEGMENTS = 20  # at least, so that they are read side by side


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the rate of each, and the memory and the bytes of ours."""
    path = folder / "archived.db"
    wanted = sizes.archived_events
    segments: list[Segment] = []
    wrote = rate(wanted, lambda: segments.extend(_written(path, wanted)))
    files = sorted(path.with_name(f"{path.name}.archive").iterdir())
    events = sum(segment.events for segment in segments)
    if len({engagements(path), duckdb_engagements(files), polars_engagements(files)}) > 1:
        raise AssertionError("the folds differ")
    ours, duckdb, polars = alternate(
        sizes.slow_rounds,
        lambda _: rate(events, lambda: engagements(path)),
        lambda _: rate(events, lambda: duckdb_engagements(files)),
        lambda _: rate(events, lambda: polars_engagements(files)),
    )
    peer, name = max((duckdb, "DuckDB"), (polars, "Polars"), key=lambda each: sum(each[0]))
    work = f"replay {wanted:,} archived events"
    written = f"write {wanted:,} archived events"
    size = sum(segment.size_bytes for segment in segments) / events - COMMITMENT_BYTES
    return [
        limit(written, "/s", wrote),
        ratio(work, "/s", ours, peer, name, 2, 5),
        limit(f"{work}, memory", "MiB", _peak_mib(path), MOST_MIB),
        limit("archived, beside commitments", "B each", size, 13, 9),
    ]


def _written(path: Path, events: int) -> list[Segment]:
    return write_sealed(path, events, min(MERGED_EVENTS, events // _SEGMENTS))


def engagements(path: Path) -> int:
    """Fold all events of a ledger, and return how many engagements there are."""
    database = Database(f"sqlite:///{path}")
    with database.read() as connection:
        return sum(len(table) for table in folded_tables(connection, database.archive))


def _peak_mib(path: Path) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.archived", str(path)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    engagements(Path(sys.argv[1]))
    print(peak_mib())
