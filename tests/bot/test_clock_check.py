"""Whether the clock may be believed: by the last run, and by clocks outside (R8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answers import about_the_clock
from bot.clock_check import AGREEMENT, FRESH, LONG, ClockState, ClockUnconfirmedError, Heard, check
from ledger.instants import DAY, Instant
from tests.support import strategies
from tests.support.strategies import HOUR, NOON

heard = st.builds(Heard, strategies.instants, st.sampled_from([0, HOUR - 1, HOUR, HOUR + 1, DAY]))
states = st.builds(
    ClockState,
    strategies.instants,
    st.none() | strategies.instants,
    st.lists(heard, max_size=2).map(tuple),
)


@given(states)
def test_a_confirmation_is_asked_for_only_long_after_the_last_run(state):
    is_near = state.last_run is None or state.now <= state.last_run + LONG
    agrees = [each for each in state.heard if abs(each.now - state.now) <= AGREEMENT]
    assert state.may_act == (is_near or bool(agrees))
    if state.may_act:
        check(state)
    else:
        with pytest.raises(ClockUnconfirmedError, match="--clock-is-right"):
            check(state)


@given(states)
def test_the_clock_is_wrong_where_one_heard_lately_disagrees_and_none_agrees(state):
    lately = [each for each in state.heard if each.ago <= FRESH]
    assert state.is_wrong == (bool(lately) and not state.is_confirmed)


@given(states, heard)
def test_more_evidence_never_stops_what_may_be_done(state, more):
    if state.may_act:
        assert state._replace(heard=(*state.heard, more)).may_act


@given(states)
def test_it_is_said_in_words_whatever_it_is(state):
    assert "Outside" in about_the_clock.state(state).html
    assert str(state.days) in about_the_clock.doubt(state).html
    assert "\n" not in about_the_clock.doubt_in_the_terminal(state)


def test_a_clock_ten_years_ahead_is_doubted_and_one_that_is_right_after_a_month_is_not():
    ahead = ClockState(Instant(NOON + 3_650 * DAY), NOON)
    assert not ahead.may_act
    assert not ahead._replace(heard=(Heard(NOON, 0),)).may_act
    month = ClockState(Instant(NOON + 31 * DAY), NOON, (Heard(Instant(NOON + 31 * DAY), 5),))
    assert month.may_act
