"""Engagements: any split of a history, in any order of arrival, folds to the same one (R3)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.commands import Kind
from ledger.events import DECISIONS, HIDING, EventRow
from projections.engagement import (
    DECISION_FIELDS,
    EXTREME_NAMES,
    EXTREMES,
    NONE,
    VALUE_NAMES,
    Engagement,
    engagement_of,
    fold,
    merge,
    of_kinds,
    touches,
    values_of,
)
from tests.support import strategies
from tests.support.event_rows import event_row
from tests.support.strategies import NOON

engagements = strategies.engagements(min_interactions=0)


def by_sums_and_maxima(rows: list[EventRow]) -> Engagement:
    """The result of a query: COUNT, MIN and MAX over the columns, one clause for each field."""
    interactions = [row for row in rows if row.kind is not None]
    lasts = [
        max((row.occurred_at for row in rows if row.kind == kind), default=None) for kind in Kind
    ]
    linear = max(
        ((row.occurred_at, row.linear_id) for row in interactions if row.linear_id is not None),
        default=(None, None),
    )
    override = max(
        ((row.occurred_at, row.score) for row in rows if row.kind is None), default=(None, None)
    )
    return Engagement(
        counts=tuple(sum(row.kind == kind for row in rows) for kind in Kind),
        first_at=min((row.occurred_at for row in interactions), default=None),
        lasts=tuple(lasts),
        linear_at=linear[0],
        linear_id=linear[1],
        override_at=override[0],
        override=override[1],
    )


# --- the table of kinds and decisions ------------------------------------------------------------


def test_kinds_are_ranked_from_1_without_a_gap():
    assert list(Kind) == list(range(1, len(Kind) + 1))


def test_each_decision_folds_into_fields_of_its_own():
    assert [fields.topic for fields in DECISION_FIELDS] == list(DECISIONS)
    decided = [name for fields in DECISION_FIELDS for name in (fields.at, fields.value)]
    assert list(Engagement.__struct_fields__[4 + len(EXTREMES) :]) == decided


def test_each_extreme_folds_into_a_field_between_those_by_kind():
    before, *extremes, after = Engagement.__struct_fields__[: 2 + len(EXTREMES)]
    assert (before, extremes, after) == ("counts", list(EXTREME_NAMES), "lasts")


def test_codes_of_decisions_are_unlike_each_other_and_any_kind():
    assert len(set(DECISIONS.values())) == len(DECISIONS)
    assert max(DECISIONS.values()) < min(Kind)


def test_an_event_that_no_rule_folds_is_no_override():
    row = event_row(1, 1, "AI-1", None, NOON, None, 0.5, NOON)
    with pytest.raises(KeyError, match=HIDING):
        fold([row._replace(topic=HIDING)])


@given(engagements)
def test_an_engagement_is_made_again_from_its_values(engagement):
    assert engagement_of(values_of(engagement)) == engagement
    assert len(values_of(engagement)) == len(VALUE_NAMES)


@given(strategies.kinds, st.integers(0, 5), strategies.instants)
def test_touches_are_the_fold_of_as_many_interactions(kind, count, at):
    row = event_row(1, 1, "AI-1", int(kind), at, None, None, at)
    assert touches(kind, count, at) == fold([row] * count)


# --- merge ---------------------------------------------------------------------------------------


@given(engagements, engagements, engagements)
def test_merging_is_associative(a, b, c):
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(engagements, engagements)
def test_merging_is_commutative(a, b):
    assert merge(a, b) == merge(b, a)


@given(engagements)
@example(NONE)
def test_no_engagement_is_the_identity_of_merging(a):
    assert merge(a, NONE) == a == merge(NONE, a)


@given(engagements, engagements)
def test_counts_add_up(a, b):
    assert merge(a, b).count == a.count + b.count


# --- fold ----------------------------------------------------------------------------------------


@given(strategies.histories())
def test_a_fold_is_what_a_query_with_sums_and_maxima_says(history):
    assert fold(history) == by_sums_and_maxima(history)


@given(strategies.histories(), st.data())
def test_any_order_of_arrival_folds_to_the_same_engagement(history, data):
    assert fold(data.draw(st.permutations(history))) == fold(history)


@given(strategies.histories(), st.data())
def test_any_split_of_a_history_folds_to_the_same_engagement(history, data):
    parts: list[list[EventRow]] = [[], [], []]
    for row in history:
        data.draw(st.sampled_from(parts)).append(row)
    whole = NONE
    for part in data.draw(st.permutations(parts)):
        whole = merge(whole, fold(part))
    assert whole == fold(history)


@given(strategies.histories())
def test_one_event_at_a_time_folds_to_the_same_engagement(history):
    engagement = NONE
    for row in history:
        engagement = merge(fold([row]), engagement)
    assert engagement == fold(history)


@given(strategies.histories(), st.integers(1, 1000), st.integers(0, 1000))
def test_position_and_instant_of_recording_are_no_part_of_an_engagement(history, moved, later):
    elsewhere = [
        row._replace(position=row.position + moved, recorded_at=row.recorded_at + later, stream=9)
        for row in reversed(history)
    ]
    assert fold(elsewhere) == fold(history)


def test_nothing_folds_to_no_engagement():
    assert fold([]) == NONE
    assert NONE.count == 0
    assert NONE.idle_since == -1
    assert not NONE.is_overridden


# --- what the fields say -------------------------------------------------------------------------


@given(strategies.histories(min_interactions=1))
def test_the_first_is_never_after_the_last_and_neither_is_made_up(history):
    engagement = fold(history)
    occurred = {row.occurred_at for row in history if row.kind is not None}
    assert engagement.first_at == min(occurred)
    assert engagement.last_at == max(occurred)


@given(strategies.histories())
def test_an_engagement_is_idle_since_its_latest_event(history):
    idle_since = fold(history).idle_since
    assert idle_since == max((row.occurred_at for row in history), default=-1)


@given(strategies.histories())
def test_an_override_is_in_force_unless_an_interaction_occurred_after_it(history):
    interactions = [row.occurred_at for row in history if row.kind is not None]
    overrides = [row.occurred_at for row in history if row.kind is None]
    in_force = bool(overrides) and max(overrides) >= max(interactions, default=-1)
    assert fold(history).is_overridden == in_force


def touched(at: int, kind: Kind | None, linear_id: str | None = None, score: float | None = None):
    """An event of the only engagement there is here."""
    return event_row(at, 1, "AI-1", kind and int(kind), at, linear_id, score, at)


@pytest.mark.parametrize(
    ("kinds", "last"),
    [
        ((Kind.QUERY, Kind.VIEW, Kind.MENTION), Kind.QUERY),
        ((Kind.MENTION, Kind.VIEW), Kind.VIEW),
        ((Kind.VIEW, Kind.MENTION), Kind.VIEW),
        ((Kind.MENTION, Kind.MENTION), Kind.MENTION),
    ],
    ids=["query-first", "view-last", "view-first", "mentions"],
)
def test_at_equal_instants_a_query_is_later_than_a_view_than_a_mention(kinds, last):
    assert fold(touched(5, kind) for kind in kinds).last_kind == last


def test_a_later_mention_is_the_last_interaction_in_spite_of_its_rank():
    assert fold([touched(5, Kind.QUERY), touched(6, Kind.MENTION)]).last_kind == Kind.MENTION


def test_the_linear_id_is_the_latest_that_was_given():
    rows = [
        touched(7, Kind.VIEW),
        touched(5, Kind.QUERY, "older"),
        touched(6, Kind.MENTION, "newer"),
    ]
    assert fold(rows).linear_id == "newer"
    assert fold(rows).last_at == 7


def test_an_override_is_no_interaction():
    engagement = fold([touched(5, Kind.QUERY), touched(9, None, score=0.8)])
    assert engagement.count == 1
    assert (engagement.first_at, engagement.last_at) == (5, 5)
    assert (engagement.override_at, engagement.override) == (9, 0.8)


# --- kinds that count ----------------------------------------------------------------------------


COUNTED = ("counts", "lasts", "last_at", "last_kind", "idle_since", "is_overridden", "override")


@given(strategies.histories(), strategies.some_kinds)
def test_what_is_left_of_some_kinds_is_the_fold_of_their_events(history, kinds):
    left = of_kinds(fold(history), kinds)
    folded = fold(row for row in history if row.kind is None or row.kind in kinds)
    for name in COUNTED:
        assert getattr(left, name) == getattr(folded, name)


@given(engagements)
def test_all_kinds_leave_an_engagement_as_it_is(engagement):
    assert of_kinds(engagement, tuple(Kind)) is engagement
