"""Hidden issues: those that a user wants left out of their lists.

They are left out of rankings that are cut and of briefings. Scores, totals, histories and the order
of the others stay as they are.
"""

from collections.abc import Collection, Iterable, Sequence

from ledger.events import EngagementHidden
from projections.as_of import AsOf
from projections.ranking import Ranked


def hidden_issues(hidings: Iterable[EngagementHidden], as_of: AsOf) -> frozenset[str]:
    """Return the issues that are hidden by a user's `hidings`, as far as `as_of` sees them.

    For each issue the latest decides, and at one instant the one that hides it.
    """
    latest: dict[str, tuple[int, bool]] = {}
    for each in hidings:
        if as_of.sees(each.occurred_at, each.recorded_at):
            said = (each.occurred_at, each.hidden)
            latest[each.issue_id] = max(said, latest.get(each.issue_id, said))
    return frozenset(issue for issue, (_, hidden) in latest.items() if hidden)


def listed(ranked: Sequence[Ranked], hidden: Collection[str], limit: int) -> list[Ranked]:
    """Return the first `limit` of a ranking that are not hidden."""
    return [each for each in ranked if each.issue_id not in hidden][:limit]
