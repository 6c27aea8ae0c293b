"""`python -m tests.benchmarks [--quick] [--json FILE]`: measure every row, print and keep them."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.benchmarks import (
    importing,
    memory,
    ranking,
    recording,
    replaying,
    report,
    storage,
    talking,
)
from tests.benchmarks.report import Row
from tests.benchmarks.sizes import FULL, QUICK, Sizes

THEMES: tuple[Callable[[Path, Sizes], list[Row]], ...] = (
    recording.rows,
    importing.rows,
    ranking.rows,
    replaying.rows,
    memory.rows,
    storage.rows,
    talking.rows,
)


def measure(sizes: Sizes, parent: Path) -> list[Row]:
    """Measure every row in a folder of its own below `parent`, which is gone afterwards."""
    found = []
    for theme in THEMES:
        with tempfile.TemporaryDirectory(dir=parent, prefix=".bench-") as folder:
            found += theme(Path(folder).resolve(), sizes)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Measure on the current folder's disk, print the table and write the JSON file."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and fewer, under 25 seconds")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE")
    options = parser.parse_args(arguments)
    facts = report.machine()
    with Console(stderr=True).status("Measuring …"):
        rows = measure(QUICK if options.quick else FULL, Path.cwd())
    report.show(rows, facts)
    report.write(rows, facts, options.json)


if __name__ == "__main__":
    main()
