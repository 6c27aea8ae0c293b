"""A generated history that is imported, compacted in parts and replayed, by the command line.

Each step is a process of its own, so that its memory can be told; the rates are those of the whole
process. In between the heaviest user is asked about: from the hot ledger, and once all
events are in segments.
"""

import shlex
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from projections.application import Engagements
from tests.benchmarks.generated_ledger import write_csv
from tests.benchmarks.histories import LAST_DAY, user_name
from tests.benchmarks.importing import ROOT
from tests.benchmarks.ledgers import open_ledger
from tests.benchmarks.peak import peak_mib
from tests.benchmarks.report import Row, limit
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import rate
from tests.cli.running import CommandLine

PARTS = 5
MOST_MIB = 512

Question = Callable[[Engagements, str, str], object]

QUESTIONS: dict[str, Question] = {
    "top": lambda ours, user, _: ours.top(user),
    "score": lambda ours, user, issue: ours.ask(user, issue),
    "history": lambda ours, user, _: deque(ours.history(user), maxlen=0),
    "explain": lambda ours, user, issue: ours.explain(user, issue),
}


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the rate and memory of each step, and the milliseconds of each question."""
    file, wanted = folder / "history.csv", sizes.compacted_events
    events = write_csv(file, wanted, wanted // PARTS)
    parts = [f"--through {events * part // PARTS}" for part in range(1, PARTS)] + ["--all"]
    csv = f"import csv {shlex.quote(str(file))}"
    found = _step(f"import {wanted:,}, then compacted", events, folder, csv)
    hot = _milliseconds(folder, sizes.asked_calls)
    work = f"compact {wanted:,} in {PARTS} parts"
    found += _step(work, events, folder, *(f"compact {part}" for part in parts))
    sealed = _milliseconds(folder, sizes.asked_calls)
    found += _step(f"replay {wanted:,} compacted", events, folder, "replay")
    asked = [
        limit(f"{name}, {wanted:,} sealed", "ms", sealed[name], peer=hot[name], peer_name="hot")
        for name in QUESTIONS
    ]
    return found + asked


def _step(work: str, events: int, folder: Path, *commands: str) -> list[Row]:
    """Run commands one after the other, in a process of their own."""
    program = [sys.executable, "-m", "tests.benchmarks.compacting", str(folder), *commands]
    peaks: list[float] = []

    def run() -> None:
        done = subprocess.run(program, cwd=ROOT, check=True, capture_output=True, text=True)
        peaks.append(float(done.stdout))

    speed = rate(events, run)
    return [limit(work, "/s", speed), limit(f"{work}, memory", "MiB", max(peaks), MOST_MIB)]


def _milliseconds(folder: Path, calls: int) -> dict[str, float]:
    with open_ledger(folder / "ledger.db", lambda: LAST_DAY) as ours:
        user = user_name(0)
        issue = next(ours.history(user)).event.issue_id
        return {
            name: 1_000 / rate(calls, partial(_ask, question, ours, user, issue, calls))
            for name, question in QUESTIONS.items()
        }


def _ask(question: Question, ours: Engagements, user: str, issue: str, calls: int) -> None:
    for _ in range(calls):
        question(ours, user, issue)


def _main(folder: str, *commands: str) -> None:
    """Run commands on the ledger in a folder, and print how much memory that took."""
    for command in commands:
        done = CommandLine(Path(folder), LAST_DAY)(*shlex.split(command))
        if done.code:
            raise AssertionError(done.err)
    print(peak_mib())


if __name__ == "__main__":
    _main(*sys.argv[1:])
