"""Rankings: the top few are the first of all, sorted, and hidden issues are left out (R5)."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.application import EngagementLedger
from ledger.as_of import AsOf
from ledger.commands import Adoption, Decision, Interaction, Kind
from ledger.events import INTERACTION, EngagementHidden, EventRow
from ledger.instants import DAY, Instant, moment_of
from ledger.validation import IssueId, UserId
from projections.engagement import Engagement, fold
from projections.policy import DEFAULT_POLICY, ScoringPolicy, fields_of
from projections.ranking import (
    OVERRIDDEN_BAND,
    UNCOUNTED_BAND,
    Ranked,
    band,
    hidden_issues,
    listed,
    merge_bands,
    ranked,
    ranking,
)
from projections.read_model.model import ReadModel
from projections.read_model.queries import top_of
from projections.scoring import score
from tests.support import strategies
from tests.support.event_rows import event_row
from tests.support.strategies import NOON

NOON_INSTANT = strategies.NOON

moments = strategies.moments_of_asking
policies = st.just(DEFAULT_POLICY) | strategies.policies()
policies_of_few_bands = st.just(DEFAULT_POLICY) | strategies.policies(strategies.few_bands)
Engagements = dict[str, Engagement]


def sorted_by_hand(engagements: Engagements, at: Instant, policy: ScoringPolicy) -> list[Ranked]:
    """Every engagement scored, then sorted three times, by the least important key first."""
    rows = [ranked(issue, each, at, policy) for issue, each in engagements.items()]
    rows.sort(key=lambda row: row.issue_id)
    rows.sort(key=lambda row: active_since(row.engagement, policy), reverse=True)
    rows.sort(key=lambda row: score(row.engagement, at, policy).value, reverse=True)
    pinned = [row for row in rows if is_pinned(row.engagement, at, policy)]
    pinned.sort(key=lambda row: last_counted(row.engagement, policy), reverse=True)
    return [*pinned, *(row for row in rows if row not in pinned)]


def last_counted(engagement: Engagement, policy: ScoringPolicy) -> int:
    """When the last interaction was that counts, -1 without one."""
    lasts = dict(zip(Kind, engagement.lasts, strict=True))
    return max(-1 if lasts[kind] is None else lasts[kind] or 0 for kind in policy.kinds)


def active_since(engagement: Engagement, policy: ScoringPolicy) -> int:
    return max(last_counted(engagement, policy), engagement.override_at or -1)


def is_pinned(engagement: Engagement, at: Instant, policy: ScoringPolicy) -> bool:
    last = last_counted(engagement, policy)
    return (
        last >= 0
        and (engagement.override_at or -1) < last
        and max(0, at - last) < policy.pin_hours * 3_600_000_000
    )


def in_bands(
    engagements: Engagements, policy: ScoringPolicy
) -> tuple[list[list[tuple[str, Engagement]]], list[tuple[str, Engagement]]]:
    """The bands as an index gives them, and the overridden, in no order."""
    lists = defaultdict(list)
    by_issue = sorted(engagements.items())
    for issue, each in sorted(
        by_issue, key=lambda pair: last_counted(pair[1], policy), reverse=True
    ):
        lists[band(each, policy)].append((issue, each))
    overridden = lists.pop(OVERRIDDEN_BAND, [])
    return list(lists.values()), overridden


# --- the order -----------------------------------------------------------------------------------


@given(strategies.engagements_by_issue(), moments, policies)
def test_a_ranking_is_by_score_then_idle_since_then_issue(engagements, at, policy):
    assert ranking(engagements.items(), at, policy) == sorted_by_hand(engagements, at, policy)


@given(strategies.engagements_by_issue(), moments, policies, st.data())
def test_the_order_in_which_engagements_are_read_makes_no_difference(engagements, at, policy, data):
    shuffled = data.draw(st.permutations(list(engagements.items())))
    assert ranking(shuffled, at, policy) == ranking(engagements.items(), at, policy)


# --- the merge of bands --------------------------------------------------------------------------


@given(strategies.engagements_by_issue(), moments, policies)
def test_merged_bands_are_all_engagements_in_their_order(engagements, at, policy):
    lists, overridden = in_bands(engagements, policy)
    merged = list(merge_bands(lists, overridden, at, policy))
    assert merged == sorted_by_hand(engagements, at, policy)


@given(strategies.engagements_by_issue(), moments, policies, st.integers(0, 12))
def test_the_first_of_merged_bands_are_the_first_of_all(engagements, at, policy, limit):
    lists, overridden = in_bands(engagements, policy)
    merged = list(islice(merge_bands(lists, overridden, at, policy), limit))
    assert merged == sorted_by_hand(engagements, at, policy)[:limit]


@given(strategies.engagements_by_issue(), moments, moments, policies)
def test_the_order_within_a_band_is_the_same_at_every_moment(engagements, one, other, policy):
    lists, _ = in_bands(engagements, policy)
    for each in lists:
        orders = [[row.issue_id for row in ranking(each, at, policy)] for at in (one, other)]
        assert orders[0] == orders[1] == [issue for issue, _ in each]


class Reading:
    """Bands that count how many engagements are read of them."""

    def __init__(self, bands: list[list[tuple[str, Engagement]]]) -> None:
        self.read = 0
        self.bands = [self._counted(each) for each in bands]

    def _counted(self, pairs: list[tuple[str, Engagement]]) -> Iterator[tuple[str, Engagement]]:
        for pair in pairs:
            self.read += 1
            yield pair


@given(
    strategies.engagements_by_issue(max_size=40), moments, policies_of_few_bands, st.integers(0, 5)
)
def test_no_more_is_read_of_a_band_than_is_asked_for(engagements, at, policy, limit):
    lists, overridden = in_bands(engagements, policy)
    reading = Reading(lists)
    list(islice(merge_bands(reading.bands, overridden, at, policy), limit))
    assert reading.read <= len(lists) + limit


@given(strategies.engagements(), policies)
def test_a_band_is_named_by_what_counts_of_the_count(engagement, policy):
    counts = dict(zip(Kind, engagement.counts, strict=True))
    counted = sum(counts[kind] for kind in policy.kinds)
    if (engagement.override_at or -1) >= last_counted(engagement, policy):
        assert (
            band(engagement, policy) == OVERRIDDEN_BAND
            if engagement.override_at is not None
            else UNCOUNTED_BAND
        )
    else:
        assert band(engagement, policy) == min(counted, policy.frequency_bands) >= 1


@given(strategies.engagements_by_issue(), moments, policies)
def test_the_pinned_come_first_and_the_latest_of_them_before_all(engagements, at, policy):
    ranks = ranking(engagements.items(), at, policy)
    pinned = [bool(each.pinned_at) for each in ranks]
    assert pinned == sorted(pinned, reverse=True)
    assert pinned == [is_pinned(each.engagement, at, policy) for each in ranks]
    instants = [each.pinned_at for each in ranks if each.pinned_at]
    assert instants == sorted(instants, reverse=True)


# --- examples ------------------------------------------------------------------------------------


def touched(issue: str, at: int, count: int = 1) -> tuple[str, Engagement]:
    rows = [event_row(n, 1, issue, int(Kind.QUERY), at, None, None, at) for n in range(count)]
    return issue, fold(rows)


def issues(ranked: list[Ranked]) -> list[str]:
    return [each.issue_id for each in ranked]


def test_equal_scores_of_one_day_are_told_apart_by_the_later_microsecond():
    pairs = [touched("AI-1", NOON_INSTANT), touched("AI-2", NOON_INSTANT + 1)]
    assert issues(ranking(pairs, NOON_INSTANT)) == ["AI-2", "AI-1"]


def test_equal_instants_are_told_apart_by_the_issue():
    pairs = [touched(issue, NOON_INSTANT) for issue in ("AI-2", "AI-10", "AI-1")]
    assert issues(ranking(pairs, NOON_INSTANT)) == ["AI-1", "AI-10", "AI-2"]


def test_three_touches_last_week_are_behind_one_now_that_was_made_twice():
    pairs = [touched("AI-3", NOON_INSTANT - 7 * DAY, 3), touched("AI-2", NOON_INSTANT, 2)]
    assert issues(ranking(pairs, NOON_INSTANT)) == ["AI-2", "AI-3"]


def test_a_busy_dormant_issue_may_stand_before_an_awake_one_of_a_single_touch():
    pairs = [touched("AI-1", NOON_INSTANT - 91 * DAY, 5), touched("AI-2", NOON_INSTANT - 88 * DAY)]
    ranks = ranking(pairs, NOON_INSTANT)
    assert [(each.issue_id, each.score.dormant) for each in ranks] == [
        ("AI-1", True),
        ("AI-2", False),
    ]


def test_scores_that_have_come_to_0_are_told_apart_by_idle_since():
    pairs = [
        touched("AI-1", NOON_INSTANT - 900 * DAY, 5),
        touched("AI-2", NOON_INSTANT - 600 * DAY),
    ]
    ranks = ranking(pairs, NOON_INSTANT)
    assert [(each.issue_id, each.score.value) for each in ranks] == [("AI-2", 0.0), ("AI-1", 0.0)]


def test_what_does_not_count_ranks_by_issue_after_all_that_does():
    policy = ScoringPolicy(kinds=(Kind.VIEW,))
    old = event_row(
        1, 1, "AI-9", int(Kind.VIEW), NOON_INSTANT - 3000 * DAY, None, None, NOON_INSTANT
    )
    pairs = [
        touched("AI-2", NOON_INSTANT, 5),
        touched("AI-1", NOON_INSTANT - DAY),
        ("AI-9", fold([old])),
    ]
    assert issues(ranking(pairs, NOON_INSTANT, policy)) == ["AI-9", "AI-1", "AI-2"]


# --- the same through a real ledger --------------------------------------------------------------

Entry = Interaction | Decision
USER = UserId("4711")


def entries(row: EventRow) -> Entry:
    at = Instant(row.occurred_at)
    if row.kind is None:
        return Decision(USER, IssueId(row.issue_id), row.topic, row.score or 0.0, at)
    return Interaction(USER, IssueId(row.issue_id), Kind(row.kind), at, row.linear_id)


def issues_many(rows: list[EventRow]) -> list[EventRow]:
    """Make it some dozen issues, each of which is touched before it is overridden."""
    spread = [row._replace(issue_id=f"AI-{n % 13}") for n, row in enumerate(rows)]
    firsts = [row._replace(topic=INTERACTION, kind=2, score=None) for row in spread[:13]]
    return firsts + spread[13:]


@settings(max_examples=max(10, settings().max_examples // 4))
@given(
    strategies.event_rows(streams=1, max_size=60).map(issues_many),
    moments,
    st.just(DEFAULT_POLICY)
    | strategies.policies(strategies.few_bands)
    | strategies.policies(strategies.many_bands),
    st.integers(0, 15),
    st.sampled_from(["in the tail", "folded", "sealed"]),
)
def test_the_top_of_a_ledger_is_the_first_of_all(rows, at, policy, limit, where):
    with TemporaryDirectory() as folder, opened(Path(folder)) as ledger:
        ledger.record(Adoption(fields_of(policy), 1))
        ledger._appender.append([entries(row) for row in rows])
        if where == "folded":
            ledger.fold()
        if where == "sealed":
            ledger.compactor.compact(len(rows))
        with ledger.database.read() as connection:
            found = top_of(connection, USER, limit, at, policy)
    groups = defaultdict(list)
    for row in rows:
        groups[row.issue_id].append(row)
    engagements = {issue: fold(group) for issue, group in groups.items()}
    assert found == sorted_by_hand(engagements, at, policy)[:limit]


def opened(folder: Path) -> EngagementLedger:
    return EngagementLedger(
        f"sqlite:///{folder}/ledger.db",
        projection=ReadModel(),
        clock=lambda: moment_of(Instant(NOON_INSTANT + 100 * DAY)),
    )


@pytest.mark.parametrize(
    ("per_interaction", "queries"),
    [(0.2, 8), (0.05, 23), (0.04, 2), (0.01, 2)],
    ids=["five-bands", "twenty-bands", "twenty-five-bands", "hundred-bands"],
)
def test_policies_of_more_than_twenty_bands_look_at_every_engagement_instead(
    tmp_path, per_interaction, queries
):
    policy = ScoringPolicy(frequency_per_interaction=per_interaction)
    with opened(tmp_path) as ledger:
        ledger.record(Adoption(fields_of(policy), 1))
        ledger.record(Interaction(USER, IssueId("AI-1"), Kind.QUERY))
        ledger.fold()
        with ledger.database.read() as connection:
            asked: list[str] = []
            driver: Any = connection.connection.driver_connection
            driver.set_trace_callback(asked.append)
            assert issues(top_of(connection, USER, 10, NOON_INSTANT, policy)) == ["AI-1"]
            driver.set_trace_callback(None)
    assert len(asked) == queries


# Hidden issues: which a user's hidings hide at any moment, by what was known at any other.

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
