"""Hidden issues: those that a user wants left out of their lists.

They are left out of top lists and briefings. Scores, totals, histories and the order of the others
do not change.
"""

from collections.abc import Collection, Iterable, Sequence

from ledger.events import EngagementHidden
from projections.as_of import AsOf
from projections.ranking import Ranked


def hidden_issues(hidings: Iterable[EngagementHidden], as_of: AsOf) -> frozenset[str]:
    """The issues that a user's `hidings` hide, considering those that `as_of` includes.

    For each issue the latest decides; at equal instants, the one that hides.
    """
    latest: dict[str, tuple[int, bool]] = {}
    for each in hidings:
        if as_of.sees(each.occurred_at, each.recorded_at):
            said = (each.occurred_at, each.hidden)
            latest[each.issue_id] = max(said, latest.get(each.issue_id, said))
    return frozenset(issue for issue, (_, hidden) in latest.items() if hidden)


def listed(ranked: Sequence[Ranked], hidden: Collection[str], limit: int) -> list[Ranked]:
    """The first `limit` engagements of a ranking that are not hidden."""
    return [each for each in ranked if each.issue_id not in hidden][:limit]
