"""Explanations: parts that make up the score bit for bit, and what decides between two issues."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.as_of import AsOf
from ledger.commands import Kind
from ledger.events import EventRow
from ledger.instants import DAY, Instant
from projections.engagement import NONE, Engagement, engagements_as_of, fold, merge
from projections.explanation import (
    LOOKED_AHEAD_DAYS,
    Difference,
    Explanation,
    OrderExplanation,
    Sourced,
    Swap,
    difference,
    explain,
    explain_order,
)
from projections.policy import DEFAULT_POLICY, Adopted, ScoringPolicy
from projections.ranking import ranked, ranking
from tests.support import strategies
from tests.support.event_rows import event_row
from tests.support.strategies import HOUR, NOON


def policies_of(frequencies: st.SearchStrategy[float]) -> st.SearchStrategy[ScoringPolicy]:
    return st.builds(
        lambda policy, kinds, hours: msgspec.structs.replace(
            policy, kinds=tuple(sorted(kinds)), pin_hours=hours
        ),
        strategies.policies(frequencies),
        st.sets(strategies.kinds, min_size=1),
        st.sampled_from([0.0, 0.5, 8.0, 24.0, 1000.0]),
    )


policies = policies_of(strategies.few_bands | strategies.many_bands)
as_ofs = st.builds(
    AsOf, st.none() | strategies.moments_of_asking, st.none() | strategies.moments_of_asking
)


def recomputed(explained: Explanation) -> float:
    """The score from what the explanation shows alone: R4 to R7 in arithmetic of our own."""
    policy = explained.adopted.policy
    counting = [each for each in explained.interactions if each.kind in policy.kinds]
    in_force = [each for each in explained.overrides if each.is_in_force]
    if not explained.interactions:
        return policy.default_score
    if not counting and not in_force:
        return 0.0
    idle_since = max(
        [each.occurred_at for each in counting] + [each.occurred_at for each in in_force]
    )
    days = max(0, explained.at - idle_since) // DAY
    if in_force:
        base = in_force[0].value
    else:
        frequency = min(1.0, policy.frequency_per_interaction * len(counting))
        recency = math.exp(-policy.recency_rate_per_day * days)
        base = policy.frequency_weight * frequency + policy.recency_weight * recency
    over = days - policy.decay_after_days if days > policy.decay_after_days else 0
    return round(base * (1 - policy.decay_rate_per_day) ** over, 12)


def explained(rows: list[EventRow], policy: ScoringPolicy = DEFAULT_POLICY, **asked) -> Explanation:
    at = asked.pop("at", NOON)
    return explain(
        [Sourced(row, f"source {row.position}") for row in rows],
        "AI-1",
        AsOf(**asked),
        at,
        Adopted(1, policy),
    )


def event(
    position: int, days: float, kind: Kind | None = Kind.QUERY, score: float | None = None
) -> EventRow:
    """An event of AI-1 so many days before noon, recorded as it occurred."""
    at = NOON - int(days * DAY)
    return event_row(position, 1, "AI-1", kind and int(kind), at, None, score, at)


# --- any history ---------------------------------------------------------------------------------


@given(
    strategies.event_rows(streams=1),
    strategies.issue_ids,
    as_ofs,
    strategies.moments_of_asking,
    policies,
    st.data(),
)
def test_an_explanation_is_of_the_score_that_is_asked_for(rows, issue, as_of, at, policy, data):
    arrived = [Sourced(row, None) for row in data.draw(st.permutations(rows))]
    found = explain(arrived, issue, as_of, at, Adopted(3, policy))
    engagement = dict(engagements_as_of(rows, as_of)).get(issue, NONE)
    assert found.ranked == ranked(issue, engagement, at, policy)
    assert (found.issue_id, found.at, found.as_of) == (issue, at, as_of)
    assert found.adopted == Adopted(3, policy)


@given(
    strategies.event_rows(streams=1),
    strategies.issue_ids,
    as_ofs,
    strategies.moments_of_asking,
    policies,
)
def test_the_parts_recompute_to_the_score_bit_for_bit(rows, issue, as_of, at, policy):
    found = explain([Sourced(row, None) for row in rows], issue, as_of, at, Adopted(1, policy))
    assert found.value == recomputed(found)
    parts = found.ranked.score
    if found.has_parts:
        decay = (1 - policy.decay_rate_per_day) ** found.days_over
        assert (parts.decay, found.value) == (decay, round(found.base * decay, 12))
        assert parts.frequency == min(1.0, policy.frequency_per_interaction * found.count)
        assert found.weighted == (
            policy.frequency_weight * parts.frequency + policy.recency_weight * parts.recency
        )
    else:
        assert (found.base, found.weighted, found.days_over) == (None, None, 0)


@given(strategies.event_rows(streams=1), strategies.issue_ids, as_ofs, policies)
def test_exactly_what_was_known_and_had_occurred_is_seen_in_its_order(rows, issue, as_of, policy):
    sourced = [Sourced(row, f"source {row.position}") for row in rows]
    found = explain(sourced, issue, as_of, NOON, Adopted(1, policy))
    expected = [
        row
        for row in sorted(rows, key=lambda row: (row.occurred_at, row.position))
        if row.issue_id == issue
        and (as_of.at is None or row.occurred_at <= as_of.at)
        and (as_of.known_at is None or row.recorded_at <= as_of.known_at)
    ]
    touches = [row for row in expected if row.kind is not None]
    assert [each.position for each in found.interactions] == [row.position for row in touches]
    assert [each.source for each in found.interactions] == [f"source {x.position}" for x in touches]
    assert [each.counts for each in found.interactions] == [x.kind in policy.kinds for x in touches]
    assert [each.position for each in found.overrides] == [
        row.position for row in expected if row.kind is None
    ]
    assert [each.is_late for each in found.interactions] == [
        row.recorded_at - row.occurred_at > DAY for row in touches
    ]


@given(strategies.histories(), policies)
def test_at_most_one_override_is_in_force_and_any_other_was_ended_by_what_came_later(rows, policy):
    found = explained(rows, policy)
    override = found.ranked.score.override
    in_force = [each.value for each in found.overrides if each.is_in_force]
    assert in_force == ([] if override is None else [override])
    by_position = {row.position: row for row in rows}
    for each in found.overrides:
        if each.ended_by is None:
            assert each.is_in_force or not found.interactions
            continue
        ending = by_position[each.ended_by]
        assert not each.is_in_force
        if ending.kind is None:
            ranks = (ending.occurred_at, ending.score, ending.position)
            assert ranks > (each.occurred_at, each.value, each.position)
        else:
            assert ending.kind in policy.kinds
            assert ending.occurred_at > each.occurred_at


# --- by example ----------------------------------------------------------------------------------


def test_an_issue_without_interactions_has_the_default_and_no_parts():
    found = explained([])
    assert (found.value, found.has_parts, found.count) == (0.5, False, 0)
    assert (found.interactions, found.overrides) == ((), ())


def test_what_is_of_no_kind_that_counts_is_seen_and_does_not_count():
    policy = ScoringPolicy(kinds=(Kind.QUERY,))
    found = explained([event(1, 2, Kind.MENTION), event(2, 1, Kind.VIEW)], policy)
    assert (found.value, found.has_parts, found.count) == (0.0, False, 0)
    assert [each.counts for each in found.interactions] == [False, False]


def test_an_override_holds_until_an_interaction_that_counts():
    policy = ScoringPolicy(kinds=(Kind.QUERY,))
    rows = [event(1, 9), event(2, 8, None, 0.9), event(3, 7, Kind.VIEW)]
    (override,) = explained(rows, policy).overrides
    assert (override.is_in_force, override.ended_by, override.value) == (True, None, 0.9)
    (override,) = explained([*rows, event(4, 6)], policy).overrides
    assert (override.is_in_force, override.ended_by) == (False, 4)


def test_an_override_is_replaced_by_the_next_one():
    rows = [event(1, 9), event(2, 8, None, 0.9), event(3, 7, None, 0.2), event(4, 6)]
    assert [each.ended_by for each in explained(rows).overrides] == [3, 4]


def test_an_override_of_what_was_not_touched_by_then_is_seen_and_changes_nothing():
    rows = [event(1, 2, None, 0.9), event(2, 0)]
    found = explained(rows, known_at=Instant(NOON - DAY), at=Instant(NOON - DAY))
    (override,) = found.overrides
    assert (found.value, override.is_in_force, override.ended_by) == (0.5, False, None)


def test_late_is_what_was_recorded_more_than_a_day_after_it_occurred():
    on_time = event(1, 3)._replace(recorded_at=NOON - 2 * DAY)
    late = event(2, 3)._replace(recorded_at=NOON - 2 * DAY + 1)
    assert [each.is_late for each in explained([on_time, late]).interactions] == [False, True]


def test_an_explanation_by_example():
    rows = [event(1, 50, Kind.MENTION), event(2, 40), event(3, 33 + HOUR / DAY, Kind.VIEW)]
    found = explained(rows)
    parts = found.ranked.score
    assert (found.count, parts.idle_days, found.days_over) == (3, 33, 3)
    assert (parts.frequency, parts.decay) == (0.2 * 3, 0.9**3)
    assert found.base == 0.4 * (0.2 * 3) + 0.6 * math.exp(-0.05 * 33)
    assert found.value == round(found.base * 0.9**3, 12) == 0.258962630031
    assert found.as_of == AsOf()


# Order: what decides between two issues, and swaps that come true and not a moment earlier.

few_steps = policies_of(st.sampled_from([0.0, 0.2, 0.3, 0.45, 1 / 3, 1 / 7, 1.0, 2.0]))
pairs = st.tuples(strategies.engagements(), strategies.engagements())

_Pair = tuple[Engagement, Engagement]


def order(pair: _Pair, at: Instant, policy: ScoringPolicy) -> list[str]:
    """The top of the two issues at an instant, by the ranking itself."""
    issues = zip(("AI-1", "AI-2"), pair, strict=True)
    return [each.issue_id for each in ranking(issues, at, policy)]


def touched(engagement: Engagement, times: int, at: Instant, kind: Kind) -> Engagement:
    row = event_row(99, 1, "AI-1", int(kind), at, None, None, at)
    return merge(engagement, fold([row] * times))


def explained_order(
    pair: _Pair, at: Instant, policy: ScoringPolicy
) -> tuple[OrderExplanation, _Pair]:
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
    found, (first, second) = explained_order(pair, at, policy)
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
    found, (first, second) = explained_order(pair, at, policy)
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
