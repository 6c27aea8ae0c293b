"""Hidden issues: which a user's hidings hide at any moment, by what was known at any other."""

from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from ledger.events import EngagementHidden
from ledger.instants import Instant
from ledger.validation import IssueId
from projections.as_of import AsOf
from projections.ranking import hidden_issues, listed, ranking
from tests.support import strategies
from tests.support.strategies import NOON

ACCOUNT = UUID(int=7)
EVERYTHING = AsOf()


def hiding(issue: str, occurred_at: int, hidden: bool, recorded_at: int = 0) -> EngagementHidden:
    at, recorded = Instant(occurred_at), Instant(recorded_at)
    return EngagementHidden(ACCOUNT, 1, recorded, IssueId(issue), at, hidden)


hidings = st.lists(
    st.builds(
        hiding, strategies.issue_ids, strategies.instants, st.booleans(), strategies.instants
    ),
    max_size=12,
)
bounds = st.none() | strategies.instants
as_ofs = st.builds(AsOf, bounds, bounds)


@given(hidings, as_ofs, st.randoms(use_true_random=False))
def test_for_each_issue_the_latest_that_is_seen_decides_in_any_order_of_arrival(some, as_of, dice):
    seen = [
        each
        for each in some
        if (as_of.at is None or each.occurred_at <= as_of.at)
        and (as_of.known_at is None or each.recorded_at <= as_of.known_at)
    ]
    expected = set()
    for issue in {each.issue_id for each in seen}:
        latest = max(each.occurred_at for each in seen if each.issue_id == issue)
        at_once = [each for each in seen if (each.issue_id, each.occurred_at) == (issue, latest)]
        if any(each.hidden for each in at_once):
            expected.add(issue)
    dice.shuffle(some)
    assert hidden_issues(some, as_of) == expected


def test_at_one_instant_the_one_that_hides_decides():
    both = [hiding("AI-1", NOON, hidden) for hidden in (True, False)]
    assert hidden_issues(both, EVERYTHING) == hidden_issues(both[::-1], EVERYTHING) == {"AI-1"}


@given(
    strategies.engagements_by_issue(),
    st.sets(st.integers(1, 40).map("AI-{}".format)),
    strategies.moments_of_asking,
    st.integers(0, 45),
)
@example({}, {"AI-1"}, NOON, 3)
def test_lists_leave_out_the_hidden_and_nothing_else_changes(engagements, hidden, at, limit):
    ranked = ranking(engagements.items(), at)
    shown = listed(ranked, hidden, len(ranked))
    assert not hidden & {each.issue_id for each in shown}
    assert {each.issue_id for each in ranked} - hidden == {each.issue_id for each in shown}
    assert sorted(shown, key=ranked.index) == shown
    assert listed(ranked, hidden, limit) == shown[:limit]
    # As many more as are hidden are enough of the ranking.
    assert listed(ranked[: limit + len(hidden)], hidden, limit) == shown[:limit]
