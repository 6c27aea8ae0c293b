"""Order: what decides between two issues, and swaps that come true and not a moment earlier."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.commands import Kind
from ledger.events import EventRow
from ledger.instants import DAY, Instant
from projections.engagement import Engagement, fold, merge
from projections.explanation import (
    LOOKED_AHEAD_DAYS,
    Difference,
    OrderExplanation,
    Swap,
    difference,
    explain_order,
)
from projections.policy import DEFAULT_POLICY, Adopted, ScoringPolicy
from projections.ranking import ranked, ranking
from tests.projections.test_explanation import event, policies, policies_of
from tests.support import strategies
from tests.support.strategies import HOUR, NOON

few_steps = policies_of(st.sampled_from([0.0, 0.2, 0.3, 0.45, 1 / 3, 1 / 7, 1.0, 2.0]))
pairs = st.tuples(strategies.engagements(), strategies.engagements())

_Pair = tuple[Engagement, Engagement]


def order(pair: _Pair, at: Instant, policy: ScoringPolicy) -> list[str]:
    """The top of the two issues at an instant, by the ranking itself."""
    issues = zip(("AI-1", "AI-2"), pair, strict=True)
    return [each.issue_id for each in ranking(issues, at, policy)]


def touched(engagement: Engagement, times: int, at: Instant, kind: Kind) -> Engagement:
    row = EventRow(99, 1, "AI-1", int(kind), at, None, None, at)
    return merge(engagement, fold([row] * times))


def explained(pair: _Pair, at: Instant, policy: ScoringPolicy) -> tuple[OrderExplanation, _Pair]:
    """Why the first of the two stands before the second, and both in that order."""
    issues = zip(("AI-1", "AI-2"), pair, strict=True)
    first, second = ranking(issues, at, policy)
    found_order = explain_order(first, second, at, Adopted(1, policy))
    return found_order, pair if first.issue_id == "AI-1" else pair[::-1]


def check_what_decides(found: OrderExplanation) -> None:
    """The deciding criterion is the first one in which the two differ."""
    first, second = found.first, found.second
    match found.by:
        case Difference.PINNED:
            assert first.pinned_at > second.pinned_at
        case Difference.SCORE:
            assert first.pinned_at == second.pinned_at
            assert first.score.value > second.score.value
        case Difference.IDLE_SINCE:
            assert first.score.value == second.score.value
            assert first.idle_since > second.idle_since
        case Difference.ISSUE:
            assert first[1:] == second[1:] or first.idle_since == second.idle_since
            assert first.issue_id < second.issue_id
        case _:
            pytest.fail(f"{found.by} decides between two that rank")


# --- any two -------------------------------------------------------------------------------------


@given(pairs, strategies.moments_of_asking, few_steps, st.data())
def test_the_promised_interactions_swap_the_two_and_one_fewer_does_not(pair, at, policy, data):
    found, (first, second) = explained(pair, at, policy)
    kind = data.draw(st.sampled_from(policy.kinds))

    def swaps(times: int) -> bool:
        named = {
            found.first.issue_id: first,
            found.second.issue_id: touched(second, times, at, kind),
        }
        then = ranking(named.items(), at, policy)
        return then[0].issue_id == found.second.issue_id

    if found.by_interactions is None:
        assert not any(map(swaps, range(1, policy.frequency_bands + 3)))
        return
    promised = found.by_interactions
    assert swaps(promised.interactions)
    assert not any(map(swaps, range(1, promised.interactions)))
    assert (promised.at, promised.second) == (at, found.first)
    assert promised.first.engagement.count == second.count + promised.interactions


@given(pairs, strategies.moments_of_asking, policies, st.data())
def test_the_two_swap_at_the_promised_instant_and_at_none_before(pair, at, policy, data):
    found, (first, second) = explained(pair, at, policy)
    check_what_decides(found)
    now = [found.first.issue_id, found.second.issue_id]
    pair = (first, second) if now[0] == "AI-1" else (second, first)
    if found.by_time is not None:
        swapped = order(pair, found.by_time.at, policy)
        assert swapped[0] == found.second.issue_id
        assert found.by_time.interactions == 0
        assert found.by_time.first == ranked(now[1], second, found.by_time.at, policy)
        end = found.by_time.at - 1
    else:
        end = at + LOOKED_AHEAD_DAYS * DAY
    before = data.draw(st.just(end) | st.integers(at, end))
    assert order(pair, Instant(before), policy)[:1] == [now[0]]


# --- by example ----------------------------------------------------------------------------------


def of_two(
    first: list[EventRow], second: list[EventRow], policy: ScoringPolicy = DEFAULT_POLICY
) -> OrderExplanation:
    """Why AI-1 stands before AI-2 at noon."""
    a, b = ranked("AI-1", fold(first), NOON, policy), ranked("AI-2", fold(second), NOON, policy)
    found = explain_order(a, b, NOON, Adopted(1, policy))
    assert [each.issue_id for each in ranking([(a[0], a[1]), (b[0], b[1])], NOON, policy)]
    return found


def touches(times: int, days: float, kind: Kind = Kind.QUERY) -> list[EventRow]:
    return [event(1, days, kind)] * times


def swap(found: Swap | None) -> tuple[int, Instant, Difference] | None:
    return None if found is None else (found.interactions, found.at, found.by)


def test_two_more_touches_bring_a_fresh_issue_before_a_busy_one():
    found = of_two(touches(5, 10), touches(1, 1))  # 0.764 and 0.651; two touches make 0.760
    assert found.by is Difference.SCORE
    assert swap(found.by_interactions) == (2, NOON, Difference.SCORE)


def test_where_all_is_alike_the_name_decides_for_ever():
    found = of_two(touches(1, 1), touches(1, 1))
    assert found.by is Difference.ISSUE
    assert swap(found.by_interactions) == (1, NOON, Difference.SCORE)
    assert found.by_time is None


def test_equal_scores_are_told_apart_by_idle_since():
    found = of_two(touches(1, 0.2), touches(1, 0.4))
    assert found.by is Difference.IDLE_SINCE
    # The second ages a little earlier, so the first stays before it.
    assert found.by_time is None


def test_no_number_of_touches_beats_what_was_set_to_the_most_just_now():
    first = [*touches(1, 1), event(2, 0, None, 1.0)]
    found = of_two(first, touches(1, 2))
    assert found.by_interactions is None


def test_a_busy_issue_that_is_idle_sinks_below_a_fresh_one_in_time():
    found = of_two(touches(5, 20), touches(2, 10))  # 0.621 and 0.524
    assert swap(found.by_time) == (0, NOON + 14 * DAY, Difference.SCORE)  # 0.334 and 0.341


def test_a_pin_decides_until_it_ends():
    policy = msgspec.structs.replace(DEFAULT_POLICY, pin_hours=8)
    found = of_two(touches(1, HOUR / DAY), touches(5, 1), policy)
    assert found.by is Difference.PINNED
    assert swap(found.by_time) == (0, NOON + 7 * HOUR, Difference.SCORE)
    assert swap(found.by_interactions) == (1, NOON, Difference.PINNED)


def test_where_both_scores_come_to_0_the_one_that_was_active_later_stands_first():
    policy = msgspec.structs.replace(DEFAULT_POLICY, decay_rate_per_day=1, decay_after_days=3)
    found = of_two(touches(5, 1), touches(1, 0), policy)
    assert swap(found.by_time) == (0, NOON + 3 * DAY, Difference.SCORE)
    both = (
        ranked("AI-1", fold(touches(1, 9)), NOON, policy),
        ranked("AI-2", fold(touches(5, 8)), NOON, policy),
    )
    assert difference(*both[::-1]) is Difference.IDLE_SINCE
