"""Timelines: at each instant the score of what had occurred by then, and no change goes unseen."""

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.commands import Kind
from ledger.events import EventRow
from ledger.instants import DAY, Instant
from projections.engagement import fold
from projections.policy import ScoringPolicy
from projections.scoring import score
from projections.timeline import ScoreSeries, instants_of_change, score_series, steps, timeline
from tests.support import strategies
from tests.support.event_rows import event_row

NOW = strategies.NOON
spans = st.tuples(strategies.moments_of_asking, strategies.moments_of_asking).map(sorted)


def as_of(rows: list[EventRow], at: Instant, policy: ScoringPolicy):
    """The score at one instant, the long way round: fold what had occurred, then score it."""
    engagement = fold(row for row in rows if row.occurred_at <= at)
    return score(engagement, at, policy) if engagement.count else None


def touched(days: float, kind: Kind | None = Kind.QUERY, score: float | None = None) -> EventRow:
    """An event of AI-1, so many days after noon."""
    at = NOW + int(days * DAY)
    return event_row(1, 1, "AI-1", kind and int(kind), at, None, score, at)


# --- the scores ----------------------------------------------------------------------------------


@given(
    strategies.histories(), st.lists(strategies.moments_of_asking), strategies.policies(), st.data()
)
def test_a_timeline_is_the_score_of_the_fold_at_each_instant(history, instants, policy, data):
    arrived = data.draw(st.permutations(history))
    assert timeline(arrived, instants, policy) == [as_of(history, at, policy) for at in instants]


@given(strategies.histories(min_interactions=1), strategies.policies())
def test_an_event_counts_from_its_own_instant_on(history, policy):
    instants = [Instant(row.occurred_at + d) for row in history for d in (-1, 0, 1)]
    assert timeline(history, instants, policy) == [as_of(history, at, policy) for at in instants]


def test_nothing_is_scored_before_the_first_interaction_not_even_an_override():
    rows = [touched(0), touched(-1, None, 0.9)]
    assert timeline(rows, [Instant(NOW - 2 * DAY), Instant(NOW - DAY), Instant(NOW - 1)]) == (
        [None] * 3
    )
    assert timeline([], [NOW]) == [None]


def test_a_timeline_by_example():
    rows = [touched(0), touched(1), touched(2, None, 0.3)]
    values = timeline(rows, [Instant(NOW + int(days * DAY)) for days in (0, 1, 2, 2.5)])
    assert [each and each.value for each in values] == [0.68, 0.76, 0.3, 0.3]


# --- the instants --------------------------------------------------------------------------------


@given(strategies.histories(), spans)
def test_instants_ascend_from_the_start_to_the_end_and_hold_each_event_between(history, span):
    start, end = span
    instants = instants_of_change(history, start, end)
    assert instants == sorted(set(instants))
    assert (instants[0], instants[-1]) == (start, end)
    assert {row.occurred_at for row in history if start <= row.occurred_at <= end} <= set(instants)


@given(strategies.histories(), spans, strategies.policies(), st.data())
def test_between_two_neighbouring_instants_the_score_stands_still(history, span, policy, data):
    start, end = span
    instants = instants_of_change(history, start, end, policy)
    at = data.draw(st.integers(start, end) | st.sampled_from(instants[1:] or instants))
    for moment in (at, max(start, at - 1)):
        latest = instants[bisect_right(instants, moment) - 1]
        assert _value(history, moment, policy) == _value(history, latest, policy)


def _value(history, at, policy):
    parts = as_of(history, at, policy)
    return parts and parts.value


@given(strategies.histories(), spans)
def test_there_are_no_more_instants_than_events_and_days(history, span):
    start, end = span
    days = -(-(end - start) // DAY)
    assert len(instants_of_change(history, start, end)) <= days + len(history) + 2


def test_a_span_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="start must not be after end"):
        instants_of_change([], NOW, Instant(NOW - 1))


# --- the series ----------------------------------------------------------------------------------


@given(strategies.event_rows(streams=1), strategies.issue_ids, spans, strategies.policies())
def test_a_series_is_of_one_issue_and_its_span_alone(rows, issue_id, span, policy):
    start, end = span
    series = score_series(issue_id, rows, start, end, policy)
    own = [row for row in rows if row.issue_id == issue_id]
    within = [row for row in own if start <= row.occurred_at <= end]
    assert (series.issue_id, series.start, series.end) == (issue_id, start, end)
    assert series.points == [(at, as_of(own, at, policy)) for at, _ in series.points]
    assert sorted(series.interactions) == sorted(
        (row.occurred_at, row.kind) for row in within if row.kind is not None
    )
    assert series.overrides == sorted(row.occurred_at for row in within if row.kind is None)
    assert [at for at, _ in series.interactions] == sorted(at for at, _ in series.interactions)


@given(strategies.histories(min_interactions=2), spans, strategies.policies(), st.data())
def test_a_series_and_its_steps_are_the_same_in_whatever_order_events_are_read(
    history, span, policy, data
):
    read, (start, end) = data.draw(st.permutations(history)), span
    series = score_series("AI-1", history, start, end, policy)
    assert score_series("AI-1", read, start, end, policy) == series
    assert steps(read, start, [end], policy) == steps(history, start, [end], policy)


def test_a_series_of_one_moment_has_one_point():
    series = score_series("AI-1", [touched(0)], NOW, NOW)
    assert series == ScoreSeries(
        "AI-1", [(NOW, score(fold([touched(0)]), NOW))], [(NOW, Kind.QUERY)], []
    )
