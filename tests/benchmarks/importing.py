"""Importing a history of real shape from a CSV file into an empty ledger, by the command line.

Ours does all of R10 and folds the read model at the end, which is measured as well. The peer
appends events that say an issue, a kind and two dates in batches of a thousand, without
deduplication, origins or a read model.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.histories import Touch, history, write_csv
from tests.benchmarks.peers import stock_store
from tests.benchmarks.report import Row, ratio
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import alternate, rate

ROOT = Path(__file__).parents[2]


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the import against the package's own batch append."""
    touches = list(history(sizes.imported_events, sizes.users))
    file = folder / "history.csv"
    write_csv(touches, file)
    peer, command = alternate(
        sizes.slow_rounds,
        lambda number: _stock_rate(folder / f"stock-{number}.db", touches),
        lambda number: _command_rate(folder / f"command-{number}.db", file, len(touches)),
    )
    name = "stock append"
    return [
        ratio(f"import csv, {len(touches):,} of real shape", "/s", command, peer, name, 1.1, 1.8),
    ]


def _stock_rate(path: Path, touches: list[Touch]) -> float:
    """Return the rate of the peer: events made and saved, a thousand a transaction."""
    with stock_store(path) as stock:
        return rate(len(touches), lambda: stock.append(touches))


def _command_rate(path: Path, file: Path, rows: int) -> float:
    """Return the rate of the command line from a CSV file, its start and its end included."""
    names = [name for name in os.environ if not name.startswith("ENGAGEMENT_")]
    settings = {"ENGAGEMENT_DATABASE_URL": f"sqlite:///{path}", "PYTHONPATH": str(ROOT)}
    environment = {name: os.environ[name] for name in names} | settings
    command = [sys.executable, "-m", "bot", "import", "csv", str(file)]

    def run() -> None:
        subprocess.run(
            command, env=environment, cwd=path.parent, check=True, stdout=subprocess.DEVNULL
        )

    return rate(rows, run)
