"""Questions about the heaviest user: from a hot ledger, and once its events are in segments."""

from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from projections.application import Engagements
from tests.benchmarks.histories import LAST_DAY, history, user_name
from tests.benchmarks.ledgers import import_all, open_ledger
from tests.benchmarks.report import Row, limit
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import rate

EVENTS_PER_ENGAGEMENT = 3.0
PARTS = 5

Question = Callable[[Engagements, str, str], object]

QUESTIONS: dict[str, Question] = {
    "top": lambda ours, user, _: ours.top(user),
    "score": lambda ours, user, issue: ours.ask(user, issue),
    "history": lambda ours, user, _: deque(ours.history(user), maxlen=0),
    "explain": lambda ours, user, issue: ours.explain(user, issue),
}


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the milliseconds of each question, before and after a compaction in parts."""
    events = sizes.compacted_events
    with open_ledger(folder / "asking.db", lambda: LAST_DAY) as ours:
        import_all(ours, history(events, sizes.users, EVENTS_PER_ENGAGEMENT))
        hot = _milliseconds(ours, sizes.asked_calls)
        for part in range(1, PARTS + 1):
            ours.ledger.compactor.compact(events * part // PARTS)
        sealed = _milliseconds(ours, sizes.asked_calls)
    return [
        limit(f"{name}, {events:,} sealed", "ms", sealed[name], peer=hot[name], peer_name="hot")
        for name in QUESTIONS
    ]


def _milliseconds(ours: Engagements, calls: int) -> dict[str, float]:
    user = user_name(0)
    issue = ours.top(user)[0].issue_id
    return {
        name: 1_000 / rate(calls, partial(_ask, question, ours, user, issue, calls))
        for name, question in QUESTIONS.items()
    }


def _ask(question: Question, ours: Engagements, user: str, issue: str, calls: int) -> None:
    for _ in range(calls):
        question(ours, user, issue)
