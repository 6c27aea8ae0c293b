"""Evaluation: ranks by bisection equal those of ranking everything each time."""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.as_of import AsOf
from ledger.commands import Kind
from ledger.events import EventRow
from ledger.instants import DAY, Instant, instant_of, moment_of
from projections.engagement import engagements_as_of
from projections.evaluation import ONE, Figures, Judge, Judged, Quality, Weeks
from projections.policy import ALL_KINDS, DEFAULT_POLICY, ScoringPolicy, changed
from projections.rank_history import (
    BandStandings,
    PlainStandings,
    Standings,
    Steps,
    numbered,
    standings,
)
from projections.ranking import ranking
from tests.support import strategies
from tests.support.event_rows import event_row
from tests.support.strategies import HOUR, NOON

MINUTE = HOUR // 60
MONDAY = instant_of(dt.datetime(2026, 1, 26, tzinfo=dt.UTC))
ZONES = (dt.UTC, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/Santiago"))

# --- what plain Python says ----------------------------------------------------------------------


def before(rows: Sequence[EventRow], at: int) -> list[EventRow]:
    return [row for row in rows if row.occurred_at < at]


def ranked(rows: Sequence[EventRow], at: int, policy: ScoringPolicy | None) -> list[str]:
    """The issues in their order, from nothing but what came before the instant."""
    past = AsOf(at=Instant(at - 1))
    engagements = engagements_as_of(rows, past)
    if policy is None:
        pairs = ((-(each.last_at or 0), issue) for issue, each in engagements)
        return [issue for _, issue in sorted(pairs)]
    return [each.issue_id for each in ranking(engagements, Instant(at), policy)]


def plain_ranks(rows: list[EventRow], policy: ScoringPolicy | None) -> list[int]:
    found = []
    last_at: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row.occurred_at):
        if row.kind is None:
            continue
        at = row.occurred_at
        known = any(
            one.kind is not None and one.issue_id == row.issue_id for one in before(rows, at)
        )
        if known and at - last_at[row.issue_id] > MINUTE:
            found.append(1 + ranked(rows, at, policy).index(row.issue_id))
        last_at[row.issue_id] = at
    return found


def plain_recalls(
    rows: list[EventRow], policy: ScoringPolicy | None, zone: dt.tzinfo
) -> list[float]:
    weeks: dict[int, set[str]] = defaultdict(set)
    for row in sorted(rows, key=lambda row: row.occurred_at):
        if row.kind is not None:
            weeks[monday_of(row.occurred_at, zone)].add(row.issue_id)
    found = []
    for monday, touched in weeks.items():
        known = touched & {row.issue_id for row in before(rows, monday) if row.kind is not None}
        if known:
            found.append(len(known & set(ranked(rows, monday, policy)[:10])) / len(known))
    return found


def monday_of(at: int, zone: dt.tzinfo) -> int:
    day = moment_of(Instant(at)).astimezone(zone)
    while day.weekday():
        day -= dt.timedelta(days=1)
    return instant_of(day.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))


# --- histories -----------------------------------------------------------------------------------

lags = st.sampled_from([0, 0, 1, MINUTE, MINUTE + 1, HOUR, 9 * HOUR, DAY, DAY, 3 * DAY, 40 * DAY])
short_lags = st.sampled_from([0, 0, HOUR, 8 * HOUR, 16 * HOUR, DAY, DAY, 2 * DAY, 5 * DAY])
kinds_or_override = st.sampled_from([1, 1, 2, 3, 3, None])
round_scores = st.sampled_from([0.0, 0.2, 0.25, 0.4, 0.5, 1.0])
actions = st.tuples(st.integers(1, 14), lags, kinds_or_override, strategies.scores)
crowded_actions = st.tuples(st.integers(1, 4), short_lags, kinds_or_override, round_scores)


def history(taken: list[tuple[int, int, int | None, float]]) -> list[EventRow]:
    """A dense history of one user: the issues come again and again, often at one instant."""
    at, rows = NOON, []
    for position, (issue, lag, kind, score) in enumerate(taken, 1):
        at = Instant(at + lag)
        value = score if kind is None else None
        rows.append(event_row(position, 1, f"AI-{issue}", kind, at, None, value, at))
    return rows


crowded = st.lists(crowded_actions, max_size=30).map(history)
histories = st.lists(actions, max_size=40).map(history) | crowded | strategies.event_rows(streams=1)
kinds = st.sampled_from([ALL_KINDS, ALL_KINDS, (Kind.QUERY,), (Kind.MENTION, Kind.QUERY)])
pins = st.sampled_from([0.0, 0.0, 8.0, 0.5, 1e-9, 24.0, 1_000.0, 9_000.0])
numbers = st.just(DEFAULT_POLICY) | strategies.policies()


def every_policy() -> st.SearchStrategy[ScoringPolicy]:
    return st.builds(
        lambda policy, kinds, pin: replace(policy, kinds=kinds, pin_hours=pin), numbers, kinds, pins
    )


coarse_policies = st.builds(
    lambda weight, **numbers: ScoringPolicy(
        frequency_weight=weight, recency_weight=1 - weight, **numbers
    ),
    st.sampled_from([0.0, 0.5, 1.0]),
    frequency_per_interaction=st.sampled_from([0.2, 0.5, 1.0]),
    recency_rate_per_day=st.sampled_from([0.0, math.log(2)]),
    decay_rate_per_day=st.sampled_from([0.0, 0.5, 0.5, 1.0]),
    decay_after_days=st.integers(0, 2),
    dormant_after_days=st.integers(0, 6),
    dormant_below_score=st.sampled_from([0.0, 0.001, 0.3]),
    kinds=kinds,
    pin_hours=st.sampled_from([0.0, 0.0, 8.0, 24.0, 100.0]),
)
"""Policies by which days and bands often score the same, and fall asleep within a week."""


# --- ranks and recalls are exact -----------------------------------------------------------------


def assert_exact(rows: list[EventRow], policy: ScoringPolicy, zone: dt.tzinfo) -> None:
    policies = [policy, DEFAULT_POLICY, None]
    found = Judge([policy, DEFAULT_POLICY], zone).judged(rows)
    assert [each.ranks for each in found] == [plain_ranks(rows, each) for each in policies]
    for each, one in zip(found, policies, strict=True):
        assert each.recalls == pytest.approx(plain_recalls(rows, one, zone))


@given(histories, every_policy(), st.sampled_from(ZONES), st.randoms())
def test_what_is_judged_is_what_ranking_anew_before_each_event_says(rows, policy, zone, dice):
    dice.shuffle(rows)  # at one instant in any order
    assert_exact(rows, policy, zone)


@settings(max_examples=3 * settings().max_examples)
@given(crowded, coarse_policies, st.sampled_from(ZONES))
def test_it_is_so_where_scores_are_often_equal_and_issues_often_asleep(rows, policy, zone):
    assert_exact(rows, policy, zone)


@given(st.lists(strategies.instants, min_size=1), st.sampled_from(ZONES))
def test_a_week_is_the_one_of_the_calendar_whatever_was_asked_before(instants, zone):
    weeks = Weeks(zone)
    hours = [at + hour * HOUR for at in instants for hour in (0, 9, 3)]
    for at in hours:
        monday, following = weeks.around(at)
        assert (monday, monday <= at < following) == (monday_of(at, zone), True)


@given(st.lists(histories, max_size=4), every_policy())
def test_one_judge_judges_many_users_as_if_each_were_the_only_one(users, policy):
    judge = Judge([policy])
    for rows in users:
        assert judge.judged(rows) == Judge([policy]).judged(rows)


def add(to: Standings, issue: int, row: EventRow) -> None:
    if row.kind is None:
        to.override(issue, row.occurred_at, row.score or 0.0)
    else:
        to.touch(issue, row.kind, row.occurred_at)


@given(histories, every_policy())
def test_bands_and_ranking_anew_say_the_same(rows, policy):
    """The fallback of policies of many bands, used for those that do not need it."""
    order = numbered({row.issue_id for row in rows})
    both = [standings(order, Steps(policy), 1_000), PlainStandings(order, policy)]
    for row in sorted(rows, key=lambda row: row.occurred_at):
        for each in both:
            add(each, order[row.issue_id], row)
    last = max((row.occurred_at for row in rows), default=0)
    for number in {order[row.issue_id] for row in rows if row.kind is not None}:
        assert both[0].rank(number, last) == both[1].rank(number, last)


def test_bands_do_for_the_products_policy_and_not_for_one_of_many_bands():
    assert isinstance(standings({"AI-1": 0}, Steps(DEFAULT_POLICY), 10), BandStandings)
    many = Steps(changed(DEFAULT_POLICY, ["frequency_per_interaction=0.01"]))
    assert isinstance(standings({"AI-1": 0}, many, 10), PlainStandings)


# --- examples ------------------------------------------------------------------------------------


def touch(issue: str, at: int, kind: int | None = 3, score: float | None = None) -> EventRow:
    return event_row(0, 1, issue, kind, at, None, score, at)


def judged(*rows: EventRow) -> Judged:
    return Judge([DEFAULT_POLICY]).judged(rows)[0]


def test_nothing_is_judged_of_nothing():
    assert Judge([DEFAULT_POLICY]).judged([]) == [Judged([], [])] * 2
    figures = Quality().figures
    assert (figures.returns, figures.hit_at_1, figures.recall_at_10) == (0, None, None)


def test_a_first_touch_is_no_return_and_a_burst_is_one():
    rows = [touch("AI-1", NOON), touch("AI-1", NOON + HOUR), touch("AI-1", NOON + HOUR + MINUTE)]
    assert judged(*rows).ranks == [1]
    assert judged(*rows, touch("AI-1", NOON + HOUR + 2 * MINUTE + 1)).ranks == [1, 1]


def test_what_occurs_at_one_instant_is_judged_by_what_came_before_it():
    rows = [touch("AI-1", NOON), touch("AI-2", NOON + HOUR)]
    both = [touch("AI-1", NOON + 2 * HOUR), touch("AI-2", NOON + 2 * HOUR)]
    assert sorted(judged(*rows, *both).ranks) == sorted(judged(*rows, *both[::-1]).ranks) == [1, 2]


def test_what_is_dormant_has_a_rank_like_all_others():
    rows = [touch("AI-1", NOON), touch("AI-2", NOON + HOUR), touch("AI-1", NOON + 500 * DAY)]
    assert judged(*rows).ranks == [2]


def test_what_does_not_count_ranks_by_issue_after_all_that_does():
    policy = changed(DEFAULT_POLICY, ["kinds=view"])
    mentions = [touch(issue, NOON + HOUR, 1) for issue in ("C", "A", "B")]
    rows = [touch("D", NOON, 2), *mentions, touch("B", NOON + 500 * DAY, 1)]
    assert Judge([policy]).judged(rows)[0].ranks == [3]


def test_an_override_moves_an_issue():
    rows = [touch("AI-1", NOON), touch("AI-2", NOON + HOUR)]
    override = touch("AI-1", NOON + 2 * HOUR, None, 1.0)
    back = touch("AI-2", NOON + 3 * HOUR)
    assert judged(*rows, back).ranks == [1]
    assert judged(*rows, override, back).ranks == [2]


def test_a_briefing_is_judged_by_the_known_issues_of_its_week():
    rows = [
        touch("AI-1", MONDAY - DAY),
        touch("AI-2", MONDAY - 300 * DAY),
        touch("AI-1", MONDAY),
        touch("AI-2", MONDAY + 6 * DAY),
        touch("AI-3", MONDAY + 6 * DAY),
        touch("AI-3", MONDAY + 7 * DAY - 1),
    ]
    assert [each.recalls for each in Judge([DEFAULT_POLICY]).judged(rows)] == [[1.0], [1.0]]


def test_what_scores_more_for_now_stands_before_what_is_younger():
    halving = ["frequency_weight=1", "frequency_per_interaction=0.5"]
    policy = changed(DEFAULT_POLICY, [*halving, "decay_rate_per_day=0.5", "decay_after_days=0"])
    rows = [touch(issue, NOON + hour * HOUR) for hour, issue in enumerate(["A", "A", "B", "B"])]
    assert Judge([policy]).judged(rows)[0].ranks == [1, 2]


def test_what_is_pinned_in_its_sleep_is_pinned_all_the_same():
    sleepy = ["frequency_weight=1", "dormant_after_days=0", "dormant_below_score=0.3"]
    policy = changed(DEFAULT_POLICY, [*sleepy, "pin_hours=100"])
    rows = [touch("A", NOON + number) for number in range(5)]
    rows += [touch("B", NOON + 5 * DAY), touch("A", NOON + 7 * DAY)]
    assert Judge([policy]).judged(rows)[0].ranks == [2]


def test_a_briefing_shows_ten():
    known = [touch(f"AI-{number}", MONDAY - number * HOUR) for number in range(1, 12)]
    week = [touch("AI-10", MONDAY + HOUR), touch("AI-11", MONDAY + HOUR)]
    assert judged(*known, *week).recalls == [0.5]


def test_qualities_add_up():
    one, two = Judged([1, 16, 7], [0.5]), Judged([5], [])
    assert one.quality == Quality(3, 1, 1, 2, ONE + ONE // 16 + ONE // 7, 1, ONE // 2)
    both = one.quality + two.quality
    assert both == Quality(4, 1, 2, 3, ONE + ONE // 16 + ONE // 7 + ONE // 5, 1, ONE // 2)
    assert both.figures == Figures(4, 1 / 4, 2 / 4, 3 / 4, (1 + 1 / 16 + 1 / 7 + 1 / 5) / 4, 1, 0.5)


shares = st.tuples(st.integers(0, 30), st.integers(30, 40)).map(lambda pair: pair[0] / pair[1])
judgements = st.builds(
    Judged, st.lists(st.integers(1, 40), max_size=8), st.lists(shares, max_size=8)
)


@given(st.lists(judgements, max_size=6), st.randoms())
def test_what_is_counted_is_the_same_in_whatever_order(users, dice):
    sums = sum((each.quality for each in users), Quality())
    mixed = [
        Judged(
            dice.sample(each.ranks, len(each.ranks)), dice.sample(each.recalls, len(each.recalls))
        )
        for each in dice.sample(users, len(users))
    ]
    assert sum((each.quality for each in mixed), Quality()) == sums
    reciprocals = math.fsum(1 / rank for each in users for rank in each.ranks)
    assert (sums.figures.mean_reciprocal_rank or 0) * sums.returns == pytest.approx(reciprocals)
    recalls = math.fsum(recall for each in users for recall in each.recalls)
    assert (sums.figures.recall_at_10 or 0) * sums.weeks == pytest.approx(recalls)
