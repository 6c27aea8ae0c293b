"""`python -m tests.benchmarks [options]`: measure everything, or only what an option names."""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from tests.benchmarks import (
    archived,
    beside,
    compacting,
    heavy,
    importing,
    linear_cards,
    memory,
    observing,
    ranking,
    recording,
    replaying,
    report,
    starting,
    storage,
    talking,
    webhooks,
)
from tests.benchmarks.report import Row
from tests.benchmarks.sizes import FULL, QUICK, Sizes

Theme = Callable[[Path, Sizes], list[Row]]

THEMES: tuple[Theme, ...] = (
    starting.rows,
    recording.rows,
    importing.rows,
    ranking.rows,
    replaying.rows,
    archived.rows,
    compacting.rows,
    beside.rows,
    memory.rows,
    storage.rows,
    observing.rows,
    talking.rows,
    webhooks.rows,
    linear_cards.rows,
)


SMALL = 200_000
"""The package that `--large` is compared with."""


def measure(sizes: Sizes, parent: Path, themes: Sequence[Theme] = THEMES) -> list[Row]:
    """Measure each theme in its own folder below `parent`, which is removed afterwards."""
    found = []
    for theme in themes:
        with tempfile.TemporaryDirectory(dir=parent, prefix=".bench-") as folder:
            found += theme(Path(folder).resolve(), sizes)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Measure on the current folder's disk, print the table and write the JSON file."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and fewer, a minute")
    parser.add_argument(
        "--archived",
        type=int,
        metavar="N",
        help="only the replay of N archived events, once (50 bytes each on the disk)",
    )
    parser.add_argument(
        "--large",
        type=int,
        metavar="N",
        help="only what grows: at 200,000 generated rows and at N, and beside an import of N",
    )
    parser.add_argument(
        "--heavy", type=int, metavar="N", help="only what is asked about one user of N events"
    )
    parser.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE")
    options = parser.parse_args(arguments)
    facts = report.machine()
    sizes, themes = QUICK if options.quick else FULL, THEMES
    if options.archived:
        sizes = msgspec.structs.replace(sizes, archived_events=options.archived, slow_rounds=1)
        themes = (archived.rows,)
    elif options.large:
        grown = {"compacted_events": (SMALL, options.large), "beside_events": options.large}
        sizes = msgspec.structs.replace(sizes, **grown)
        themes = (compacting.rows, beside.rows)
    elif options.heavy:
        sizes = msgspec.structs.replace(sizes, heavy_events=options.heavy)
        themes = (heavy.rows,)
    with Console(stderr=True).status("Measuring …"):
        rows = measure(sizes, Path.cwd(), themes)
    report.show(rows, facts)
    report.write(rows, facts, options.json)


if __name__ == "__main__":
    main()
