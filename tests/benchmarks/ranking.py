"""The first ten of one user's many engagements.

Ours is `Questions.top`, a question to the database. The peer has all engagements in memory
already, scores each of them, sorts them and takes ten: reading them is not counted against it.
"""

from pathlib import Path
from statistics import median

from ledger.instants import instant_of
from projections.application import Engagements
from projections.ranking import Ranked, ranking
from tests.benchmarks.histories import LAST_DAY, one_user, user_name
from tests.benchmarks.ledgers import import_all, open_ledger
from tests.benchmarks.report import Row, limit, ratio
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.timing import alternate, rate

LIMIT = 10
MOST_MS = 1.0


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure how often a second each finds the ten, and the time that ours takes."""
    with open_ledger(folder / "ranking.db", lambda: LAST_DAY) as ours:
        import_all(ours, one_user(sizes.ranked_engagements))
        peer = SortedInPython(ours)
        if ours.questions.top(peer.user_id, LIMIT) != peer.top():
            raise AssertionError("the two rankings differ")
        calls, sorts = alternate(
            sizes.rounds,
            lambda _: rate(sizes.top_calls, lambda: _ask(ours, peer.user_id, sizes.top_calls)),
            lambda _: rate(1, peer.top),
        )
    work = f"top {LIMIT} of {sizes.ranked_engagements:,}"
    return [
        ratio(work, "/s", calls, sorts, "sorted in Python", 500),
        limit(f"{work}, one call", "ms", 1000 / median(calls), MOST_MS),
    ]


class SortedInPython:
    """The peer: every engagement of the user in memory, in no particular order."""

    def __init__(self, engagements: Engagements) -> None:
        self.user_id = user_name(0)
        everything = engagements.questions.ranking(self.user_id)
        self._pairs = sorted((each.issue_id, each.engagement) for each in everything)

    def top(self) -> list[Ranked]:
        """Score each engagement, sort them all and return the first few."""
        return ranking(self._pairs, instant_of(LAST_DAY))[:LIMIT]


def _ask(ours: Engagements, user_id: str, calls: int) -> None:
    for _ in range(calls):
        ours.questions.top(user_id, LIMIT)
