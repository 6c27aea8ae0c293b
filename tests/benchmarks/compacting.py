"""Generated histories of growing size, each imported, compacted in parts and replayed.

Each step is a process of its own that runs commands, so that its memory can be measured; the rates
are those of the commands without the start of the process. In between it is recorded into the
ledger, and the heaviest user is asked about: from the hot ledger, and once all events are in
segments.
"""

import shlex
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from projections.application import Engagements
from tests.benchmarks.generated_ledger import write_csv
from tests.benchmarks.histories import LAST_DAY, Touch, history, interaction, user_name
from tests.benchmarks.importing import ROOT
from tests.benchmarks.ledgers import open_ledger
from tests.benchmarks.peak import peak_mib
from tests.benchmarks.report import Row, at_most, limit, ratio
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import rate
from tests.support.command_line import CommandLine

PARTS = 5
MOST_MIB = 512
FASTER = 1.5
GROWTH = 1.5

_MICROSECONDS = 1e6

Question = Callable[[Engagements, str, str], object]

QUESTIONS: dict[str, Question] = {
    "top": lambda ours, user, _: ours.questions.top(user),
    "score": lambda ours, user, issue: ours.questions.ask(user, issue),
    "history": lambda ours, user, _: deque(ours.questions.history(user), maxlen=0),
    "explain": lambda ours, user, issue: ours.questions.explain(user, issue),
}


class Step(NamedTuple):
    """How long each of some commands took in a process of their own, and its peak memory."""

    seconds: list[float]
    peak_mib: float


class Costs(NamedTuple):
    """The cost of one row, record, question or sealed event at one size, in microseconds."""

    events: int
    import_csv: float
    record: float
    top: float
    compact: float


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure each size, and what everything costs at each beside the size before."""
    found, costs = list[Row](), list[Costs]()
    for wanted in sizes.compacted_events:
        (folder / str(wanted)).mkdir()
        more, cost = _of_size(folder / str(wanted), wanted, sizes)
        found += more
        costs.append(cost)
    return found + [row for few, many in pairwise(costs) for row in _growth(few, many)]


def _growth(few: Costs, many: Costs) -> list[Row]:
    aims = {"import_csv": (GROWTH,)}  # the only one that has an aim
    return [
        at_most(
            f"{name.replace('_', ' ')}, each at {many.events:,}",
            "µs",
            [getattr(many, name)],
            [getattr(few, name)],
            f"at {few.events:,}",
            *aims.get(name, ()),
        )
        for name in Costs._fields[1:]
    ]


def _of_size(folder: Path, wanted: int, sizes: Sizes) -> tuple[list[Row], Costs]:
    file = folder / "history.csv"
    events = write_csv(file, wanted, wanted // PARTS)
    imported = _step(folder, f"import csv {shlex.quote(str(file))}")
    recorded = _record_rate(folder, sizes)
    hot = _milliseconds(folder, sizes.asked_calls)
    part = events // PARTS
    parts = [f"compact --through {part * number}" for number in range(1, PARTS + 1)]
    compacted = _step(folder, *parts)
    sealed = _milliseconds(folder, sizes.asked_calls)
    replayed = _step(folder, "replay")
    import_rate, compact_rate, replay_rate = (
        events / sum(each.seconds) for each in (imported, compacted, replayed)
    )
    last_rate = part / compacted.seconds[-1]
    work, name = f"compact {wanted:,}", "import csv"
    found = [
        limit(f"import csv, {wanted:,}", "/s", import_rate),
        limit(f"import csv, {wanted:,}, memory", "MiB", imported.peak_mib, MOST_MIB),
        limit(f"record one of {wanted:,}", "/s", recorded),
        ratio(f"{work} in {PARTS} parts", "/s", [compact_rate], [import_rate], name, FASTER),
        ratio(f"{work}, the last part", "/s", [last_rate], [import_rate], name, FASTER),
        limit(f"{work}, memory", "MiB", compacted.peak_mib, MOST_MIB),
        limit(f"replay {wanted:,} compacted", "/s", replay_rate),
        limit(f"replay {wanted:,} compacted, memory", "MiB", replayed.peak_mib, MOST_MIB),
        *(
            limit(f"{each}, {wanted:,} sealed", "ms", sealed[each], peer=hot[each], peer_name="hot")
            for each in QUESTIONS
        ),
    ]
    return found, Costs(
        events=wanted,
        import_csv=_MICROSECONDS / import_rate,
        record=_MICROSECONDS / recorded,
        top=hot["top"] * 1_000,
        compact=_MICROSECONDS / compact_rate,
    )


def _step(folder: Path, *commands: str) -> Step:
    """Run commands one after the other, in a process of their own."""
    program = [sys.executable, "-m", "tests.benchmarks.compacting", str(folder), *commands]
    done = subprocess.run(program, cwd=ROOT, check=True, capture_output=True, text=True)
    *seconds, peak_mib = map(float, done.stdout.split())
    return Step(seconds, peak_mib)


def _record_rate(folder: Path, sizes: Sizes) -> float:
    """Return the rate of recording one after the other into the ledger as it is."""
    touches = list(islice(history(sizes.prefilled_events, sizes.users), sizes.single_records))
    with open_ledger(folder / "ledger.db", lambda: LAST_DAY) as ours:
        return rate(len(touches), lambda: _record(ours, touches))


def _record(ours: Engagements, touches: list[Touch]) -> None:
    for touch in touches:
        ours.ledger.record(interaction(touch))


def _milliseconds(folder: Path, calls: int) -> dict[str, float]:
    with open_ledger(folder / "ledger.db", lambda: LAST_DAY) as ours:
        user = user_name(0)
        issue = next(ours.questions.history(user)).event.issue_id
        return {
            name: 1_000 / rate(calls, partial(_ask, question, ours, user, issue, calls))
            for name, question in QUESTIONS.items()
        }


def _ask(question: Question, ours: Engagements, user: str, issue: str, calls: int) -> None:
    for _ in range(calls):
        question(ours, user, issue)


def _main(folder: str, *commands: str) -> None:
    """Run commands on the ledger in a folder; print the seconds of each, and the peak memory."""
    for command in commands:
        started = perf_counter()
        done = CommandLine(Path(folder), LAST_DAY)(*shlex.split(command))
        print(perf_counter() - started)
        if done.code:
            raise AssertionError(done.err)
    print(peak_mib())


if __name__ == "__main__":
    _main(*sys.argv[1:])
