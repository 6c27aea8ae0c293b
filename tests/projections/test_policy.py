"""Policies: what they may be, how the ledger keeps them, and how people write them (R4, R14)."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.commands import Kind
from ledger.errors import InvalidPolicyError
from projections.policy import (
    DEFAULT_POLICY,
    NUMBERS,
    ScoringPolicy,
    changed,
    fields_of,
    policy_of,
)
from tests.support import strategies


@given(strategies.policies())
def test_what_the_ledger_keeps_of_a_policy_is_the_policy(policy):
    kept = msgspec.json.decode(msgspec.json.encode(fields_of(policy)))
    assert policy_of(kept) == policy
    assert set(kept) == set(ScoringPolicy.__struct_fields__)


def test_a_field_that_was_not_there_yet_is_the_defaults():
    old = {name: value for name, value in fields_of(DEFAULT_POLICY).items() if name != "pin_hours"}
    assert policy_of({**old, "decay_after_days": 60}) == ScoringPolicy(decay_after_days=60)


@given(
    strategies.policies(),
    st.sampled_from(sorted(set(NUMBERS) - {"frequency_weight", "recency_weight"})),
)
def test_writing_down_a_field_as_it_is_changes_nothing(policy, name):
    assert changed(policy, [f"{name}={getattr(policy, name)!r}"]) == policy


def test_one_weight_says_the_other():
    assert changed(DEFAULT_POLICY, ["recency_weight=0.8"]).frequency_weight == 0.2
    assert changed(DEFAULT_POLICY, ["frequency_weight=0.25"]).recency_weight == 0.75


def test_kinds_are_named_in_any_order():
    assert changed(DEFAULT_POLICY, ["kinds=query, mention"]).kinds == (Kind.MENTION, Kind.QUERY)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["pin_hours"], "pin_hours must be given once, as in pin_hours=8"),
        (["pin_hours=1", "pin_hours=2"], "pin_hours must be given once"),
        (["pin=8"], "pin is not one of frequency_weight, "),
        (["pin_hours=soon"], "pin_hours is 'soon', which is not a number"),
        (["pin_hours=nan"], "pin_hours must not be negative"),
        (["pin_hours=1e9"], "pin_hours must be at most 876000"),
        (["decay_after_days=30.5"], "decay_after_days"),
        (["decay_after_days=1e400"], "decay_after_days"),
        (["kinds="], "kinds must be some of mention, view, query"),
        (["kinds=query,query"], "kinds must be some of mention, view, query, each once"),
        (["recency_weight=1.5"], "frequency_weight must not be negative"),
        (["recency_weight=0.5", "frequency_weight=0.6"], "recency_weight must sum to 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(assignments, message):
    with pytest.raises(InvalidPolicyError, match=message):
        changed(DEFAULT_POLICY, assignments)


@given(st.lists(st.text(max_size=30), max_size=3))
def test_any_words_are_a_policy_or_refused(assignments):
    with suppress(InvalidPolicyError):
        assert isinstance(changed(DEFAULT_POLICY, assignments), ScoringPolicy)


@given(
    st.dictionaries(
        st.sampled_from(ScoringPolicy.__struct_fields__) | st.text(max_size=9),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_any_fields_are_a_policy_or_refused(fields):
    with suppress(InvalidPolicyError):
        assert isinstance(policy_of(fields), ScoringPolicy)
