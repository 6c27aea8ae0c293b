"""Explanations: what was seen, what counts of it, and parts that make up the score bit for bit."""

import math

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ledger.commands import Kind
from ledger.events import EventRow
from ledger.instants import DAY, Instant
from projections.as_of import AsOf, engagements_as_of
from projections.engagement import NONE
from projections.explanation import Explanation, Sourced, explain
from projections.policy import DEFAULT_POLICY, Adopted, ScoringPolicy
from projections.ranking import ranked
from tests.support import strategies
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
    return EventRow(position, 1, "AI-1", kind and int(kind), at, None, score, at)


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


def test_an_issue_that_nobody_touched_has_the_default_and_no_parts():
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
