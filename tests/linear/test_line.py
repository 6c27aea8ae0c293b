"""The line and the quota: when Linear is asked, by its headers alone."""

import email.utils
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.linear.decoding import Data, Failed, NotFound, Reason
from bot.linear.line import DOWN_PAUSE_SECONDS, FIRST_PAUSE_SECONDS, Line
from bot.linear.quota import (
    LONGEST_WAIT_SECONDS,
    USUAL_WAIT_SECONDS,
    Quota,
    quota_of,
    wait_after_refusal,
    wait_seconds,
)
from ledger.instants import Instant, moment_of
from tests.support.strategies import NOON, any_instants, hostile_texts

NOON_MS = NOON // 1_000
ANSWER = Data({"issue": {}})


def headers(name: str = "requests", left: object = 0, after_seconds: float = 90) -> dict[str, str]:
    reset = NOON_MS + int(after_seconds * 1_000)
    start = f"x-ratelimit-{name}"
    return {f"{start}-limit": "9", f"{start}-remaining": str(left), f"{start}-reset": str(reset)}


@pytest.mark.parametrize("name", ["requests", "complexity", "endpoint-requests"])
def test_the_wait_ends_when_what_is_used_up_is_full_again(name):
    assert wait_seconds(quota_of(headers(name)), NOON) == 90
    assert wait_seconds(quota_of(headers(name, left=1)), NOON) == 0
    assert wait_seconds(quota_of(headers(name) | headers("other", after_seconds=9)), NOON) == 90


def test_of_several_limits_the_last_one_counts():
    of_both = headers() | headers("complexity", after_seconds=200)
    assert wait_seconds(quota_of(of_both), NOON) == 200


def test_linears_own_time_goes_before_ours():
    date = {"date": email.utils.format_datetime(moment_of(NOON), usegmt=True)}
    assert wait_seconds(quota_of(headers() | date), Instant(NOON + 10**12)) == 90


@pytest.mark.parametrize("reset", ["", "soon", "0", str(NOON_MS // 1_000), "-5", "9" * 40, "٣"])
def test_a_reset_that_says_nothing_is_waited_for_as_usual(reset):
    said = headers() | {"x-ratelimit-requests-reset": reset}
    assert wait_after_refusal(quota_of(said), NOON) == USUAL_WAIT_SECONDS


def test_no_header_makes_it_wait_for_longer_than_an_hour():
    assert wait_seconds(quota_of(headers(after_seconds=10**9)), NOON) == LONGEST_WAIT_SECONDS


NAMES = [*headers(), *headers("complexity"), *headers("endpoint-requests"), "date"]
texts = hostile_texts | st.integers(-(10**20), 10**20).map(str)


@given(st.dictionaries(st.sampled_from(NAMES), texts), any_instants)
def test_any_headers_give_a_wait_within_its_bounds(said, now):
    quota = quota_of(said)
    assert 0 <= wait_seconds(quota, now) <= LONGEST_WAIT_SECONDS
    assert 0 < wait_after_refusal(quota, now) <= LONGEST_WAIT_SECONDS


# --- the line ------------------------------------------------------------------------------------

DOWN = Failed(Reason.SERVER_ERROR)


def test_after_one_failure_it_pauses_shortly_and_then_for_a_minute():
    once = Line().after(DOWN, Quota(), 0.0, NOON)
    assert not once.is_open(FIRST_PAUSE_SECONDS - 0.1)
    assert once.is_open(FIRST_PAUSE_SECONDS)
    twice = once.after(DOWN, Quota(), 10.0, NOON)
    assert not twice.is_open(10.0 + DOWN_PAUSE_SECONDS - 0.1)
    assert twice.is_open(10.0 + DOWN_PAUSE_SECONDS)


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_while_linear_is_down_one_request_a_minute_is_sent(gaps):
    line = Line().after(DOWN, Quota(), 0.0, NOON).after(DOWN, Quota(), 0.0, NOON)
    now, sent = 0.0, [0.0]
    for gap in gaps:
        now += gap
        if line.is_open(now):
            sent.append(now)
            line = line.during_request(now)
            assert not line.is_open(now)
            line = line.after(DOWN, Quota(), now, NOON)
    assert all(b - a >= DOWN_PAUSE_SECONDS for a, b in pairwise(sent))


@pytest.mark.parametrize("answer", [ANSWER, NotFound(), Failed(Reason.REFUSED)])
def test_an_answer_opens_it(answer):
    down = Line().after(DOWN, Quota(), 0.0, NOON).after(DOWN, Quota(), 0.0, NOON)
    assert down.during_request(70.0).after(answer, Quota(), 71.0, NOON).is_open(71.0)


def test_an_answer_that_uses_up_the_quota_pauses_it_until_the_reset():
    line = Line().after(ANSWER, quota_of(headers()), 5.0, NOON)
    assert not line.is_open(94.9)
    assert line.is_open(95.0)
    assert line.reason is Reason.LIMITED


def test_an_answer_to_an_earlier_request_ends_no_pause_for_a_limit():
    limited = Line().after(Failed(Reason.LIMITED), quota_of(headers()), 0.0, NOON)
    late = limited.after(ANSWER, quota_of(headers(left=3)), 1.0, NOON)
    assert not late.is_open(89.9)
    assert late.is_open(90.0)
