"""Asking and recording beside a running import, which takes the lock for each of its batches."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from projections.application import Engagements
from tests.benchmarks.generated_ledger import write_csv
from tests.benchmarks.histories import LAST_DAY, Touch, history, interaction, user_name
from tests.benchmarks.importing import ROOT
from tests.benchmarks.ledgers import open_ledger
from tests.benchmarks.report import Row, limit
from tests.benchmarks.sizes import Sizes


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the milliseconds of `top` and of a record, in turns, until the import ends."""
    file, wanted = folder / "history.csv", sizes.beside_events
    write_csv(file, wanted, wanted)
    with open_ledger(folder / "ledger.db", lambda: LAST_DAY) as ours:
        record_ms, top_ms = _measured(ours, file, history(wanted, sizes.users))
    work = f"beside an import of {wanted:,}"
    return [
        limit(f"top {work}, median", "ms", median(top_ms)),
        limit(f"top {work}, p99", "ms", _p99(top_ms)),
        limit(f"record {work}, median", "ms", median(record_ms)),
        limit(f"record {work}, p99", "ms", _p99(record_ms)),
    ]


def _measured(
    ours: Engagements, file: Path, touches: Iterator[Touch]
) -> tuple[list[float], list[float]]:
    program = [sys.executable, "-m", "tests.benchmarks.compacting", str(file.parent)]
    record_ms, top_ms = list[float](), list[float]()
    command = [*program, f"import csv {shlex.quote(str(file))}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        for touch in touches:
            begun = perf_counter()
            ours.ledger.record(interaction(touch))
            recorded = perf_counter()
            ours.questions.top(user_name(0))
            record_ms.append((recorded - begun) * 1_000)
            top_ms.append((perf_counter() - recorded) * 1_000)
            if process.poll() is not None:
                break
        if process.wait():
            raise AssertionError("the import failed")
    return record_ms, top_ms


def _p99(milliseconds: list[float]) -> float:
    return quantiles([*milliseconds, milliseconds[-1]], n=100, method="inclusive")[98]
