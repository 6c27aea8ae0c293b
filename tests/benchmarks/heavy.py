"""One user with very many events: what the answers take, and how much memory.

Each question is asked by a process of its own, once of hot events and once they are all sealed. It
has as many issues as make fifty events each. "Yesterday" is a day before the last event.
"""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time

from projections.application import Engagements
from tests.benchmarks.histories import LAST_DAY, history, user_name
from tests.benchmarks.importing import ROOT
from tests.benchmarks.ledgers import import_all, open_ledger
from tests.benchmarks.peak import peak_mib
from tests.benchmarks.report import Row, limit
from tests.benchmarks.sizes import Sizes

EVENTS_PER_ENGAGEMENT = 50.0
MOST_SECONDS, MOST_MIB = 2.0, 200

_USER = user_name(0)
_YESTERDAY = LAST_DAY - timedelta(days=1)
_SHOWN = 20


def _issue(ours: Engagements) -> str:
    return ours.questions.top(_USER, 1)[0].issue_id


QUESTIONS: dict[str, Callable[[Engagements], object]] = {
    "stats": lambda ours: ours.questions.statistics(_USER),
    "stats yesterday": lambda ours: ours.questions.statistics(_USER, _YESTERDAY),
    "top yesterday": lambda ours: ours.questions.top(_USER, 10, _YESTERDAY),
    "history": lambda ours: ours.questions.page(_USER, limit=_SHOWN, latest=True),
    "history of an issue": lambda ours: ours.questions.page(
        _USER, _issue(ours), limit=_SHOWN, latest=True
    ),
    "score yesterday": lambda ours: ours.questions.ask(_USER, _issue(ours), _YESTERDAY),
    "explain": lambda ours: ours.questions.explain(_USER, _issue(ours)),
}


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the seconds, the processor's seconds and the memory of each answer."""
    path, events = folder / "ledger.db", sizes.heavy_events
    with open_ledger(path, lambda: LAST_DAY) as ours:
        import_all(ours, history(events, 1, EVENTS_PER_ENGAGEMENT))
    found = _asked(path, f"of {events:,} hot events of one user")
    with open_ledger(path, lambda: LAST_DAY) as ours:
        ours.ledger.compactor.compact(events)
    return found + _asked(path, f"of {events:,} sealed events of one user")


def _asked(path: Path, of: str) -> list[Row]:
    found = []
    for name in QUESTIONS:
        program = [sys.executable, "-m", "tests.benchmarks.heavy", str(path), name]
        done = subprocess.run(program, cwd=ROOT, check=True, capture_output=True, text=True)
        seconds, busy, mib = map(float, done.stdout.split())
        work = f"{name} {of}"
        found += [
            limit(work, "s", seconds, MOST_SECONDS),
            limit(f"{work}, processor", "s", busy),
            limit(f"{work}, memory", "MiB", mib, MOST_MIB),
        ]
    return found


def _main(path: str, name: str) -> None:
    """Ask one question, and print its seconds, the processor's and the peak of memory."""
    with open_ledger(Path(path), lambda: LAST_DAY) as ours:
        begun, busy = perf_counter(), process_time()
        QUESTIONS[name](ours)
        print(perf_counter() - begun, process_time() - busy, peak_mib())


if __name__ == "__main__":
    _main(*sys.argv[1:])
