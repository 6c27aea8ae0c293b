"""Starting the command line: each command is a process of its own, as is `import sqlalchemy`.

Both write bytecode and find it again, as programs that are used do; the first round is not counted.
"""

import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from tests.benchmarks.histories import one_user, user_name
from tests.benchmarks.importing import ROOT
from tests.benchmarks.ledgers import import_all, open_ledger
from tests.benchmarks.report import Row, at_most
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import Measurement, alternate

SHORT, LONG = 0.6, 1.5

_COMPLETING = {
    "_ENGAGEMENT_COMPLETE": "bash_complete",
    "COMP_WORDS": "engagement t",
    "COMP_CWORD": "1",
}
_PROGRAM = "from engagement_ledger import main; main()"


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the milliseconds from the start of a process to its end."""
    with open_ledger(folder / "ledger.db") as ours:
        import_all(ours, one_user(sizes.asked_calls))
    ana, issue = user_name(0), "WORK-0"
    works = {
        "start, --help": (_run(folder, _PROGRAM, "--help"), SHORT),
        "start, a usage error": (_run(folder, _PROGRAM, "tpo"), SHORT),
        "start, completion": (_run(folder, _PROGRAM, **_COMPLETING), SHORT),
        "start, top": (_run(folder, _PROGRAM, "top", ana), LONG),
        "start, score": (_run(folder, _PROGRAM, "score", ana, issue), LONG),
        "start, record": (_run(folder, _PROGRAM, "record", ana, issue, "query"), LONG),
    }
    measured = [measurement for measurement, _ in works.values()]
    peer, *times = alternate(sizes.starts + 1, _run(folder, "import sqlalchemy"), *measured)
    return [
        at_most(work, "ms", found[1:], peer[1:], "import sqlalchemy", aim)
        for (work, (_, aim)), found in zip(works.items(), times, strict=True)
    ]


def _run(folder: Path, program: str, *arguments: str, **settings: str) -> Measurement:
    """Return what runs a program once and returns how many milliseconds that took."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ENGAGEMENT_", "PYTHON"))}
    given = {"ENGAGEMENT_HOME": str(folder), "PYTHONPATH": str(ROOT)} | settings
    command = [sys.executable, "-c", program, *arguments]

    def run(_: int) -> float:
        started = perf_counter()
        subprocess.run(command, env=kept | given, cwd=folder, check=False, capture_output=True)
        return (perf_counter() - started) * 1_000

    return run
