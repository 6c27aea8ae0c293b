"""Replaying archived events: all segments folded to one row an engagement, with all that it holds.

DuckDB and Polars compute the same columns from the same files, exactly; ours also checks each block
that it reads, and gives the engagements in their order. The peer is whichever of them is faster.
Memory is that of a process of its own.
"""

import subprocess
import sys
from pathlib import Path

from ledger.segment import Segment, events_in
from ledger.store.compaction import MERGED_EVENTS
from tests.benchmarks.archived_ours import engagements
from tests.benchmarks.generated_ledger import write_sealed
from tests.benchmarks.importing import ROOT
from tests.benchmarks.report import Row, limit, ratio
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import alternate, rate

MOST_MIB = 512
COMMITMENT_BYTES = 32

_FILES = 20  # so that many are read side by side


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the rate of each, and the memory and the bytes of ours.

    In files as merges leave them, and in many, where there is a difference.
    """
    events = sizes.archived_events
    found = _rows(folder / "merged.db", sizes, min(events, MERGED_EVENTS), "")
    if events // _FILES < MERGED_EVENTS:
        found += _rows(folder / "many.db", sizes, events // _FILES, f" in {_FILES} files")
    return found


def _rows(path: Path, sizes: Sizes, segment_events: int, how: str) -> list[Row]:
    from tests.benchmarks.archived_peers import (  # noqa: PLC0415 - `make bench` installs them
        duckdb_engagements,
        polars_engagements,
    )

    wanted = sizes.archived_events
    segments: list[Segment] = []
    wrote = rate(wanted, lambda: segments.extend(write_sealed(path, wanted, segment_events)))
    files = sorted(path.with_name(f"{path.name}.archive").iterdir())
    events = events_in(segments)
    counts = (
        engagements(path),
        len(duckdb_engagements(files)),
        len(polars_engagements(files)),
    )
    if len(set(counts)) > 1:
        raise AssertionError("the folds differ")
    ours, duckdb, polars = alternate(
        sizes.slow_rounds,
        lambda _: rate(events, lambda: engagements(path)),
        lambda _: rate(events, lambda: duckdb_engagements(files)),
        lambda _: rate(events, lambda: polars_engagements(files)),
    )
    peer, name = max((duckdb, "DuckDB"), (polars, "Polars"), key=lambda each: sum(each[0]))
    work = f"{wanted:,} archived events{how}"
    size = sum(segment.size_bytes for segment in segments) / events - COMMITMENT_BYTES
    return [
        limit(f"write {work}", "/s", wrote),
        ratio(f"replay {work}", "/s", ours, peer, name, 2 if how else 2.5),
        limit(f"replay {work}, memory", "MiB", _peak_mib(path), MOST_MIB),
        limit(f"archived{how}, beside commitments", "B each", size, 13),
    ]


def _peak_mib(path: Path) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.archived_ours", str(path)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout)
