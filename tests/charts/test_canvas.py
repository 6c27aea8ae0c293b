"""Dates along an axis: few, in order, at round times of the wall clock in any zone."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.charts.canvas import MOST_TICKS, date, ticks
from ledger.instants import DAY, Instant, instant_of, moment_of
from tests.support.chart_pictures import ascends
from tests.support.chart_words import WORDS

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
)
HOUR = DAY // 24

zones = st.sampled_from(ZONES).map(ZoneInfo)
starts = st.integers(
    instant_of(dt.datetime(2000, 1, 2, tzinfo=dt.UTC)),
    instant_of(dt.datetime(2090, 1, 1, tzinfo=dt.UTC)),
)
lengths = st.integers(HOUR, 30 * 365 * DAY) | st.sampled_from(
    [HOUR, DAY, 7 * DAY, 31 * DAY, 366 * DAY, 1826 * DAY]
)


def labels(start: str, end: str, zone: str = "UTC") -> list[str]:
    at, until = (instant_of(dt.datetime.fromisoformat(text)) for text in (start, end))
    return [tick.label for tick in ticks(at, until, ZoneInfo(zone), WORDS)]


@given(starts, lengths, zones)
def test_ticks_are_few_and_ascend_within_the_span(start, length, zone):
    found = ticks(Instant(start), Instant(start + length), zone, WORDS)
    assert 2 <= len(found) <= MOST_TICKS
    assert ascends([start - 1, *(tick.at for tick in found), start + length + 1])


@given(starts, lengths, zones)
def test_a_time_of_day_is_what_the_clock_says_then(start, length, zone):
    for at, label in ticks(Instant(start), Instant(start + length), zone, WORDS):
        upper = label.split("\n")[0]
        if ":" in upper:
            assert upper == f"{moment_of(at).astimezone(zone):%H:%M}"
        else:
            assert str(moment_of(at).astimezone(zone).day) in upper.split() or " " not in upper


@given(starts, lengths, zones)
def test_two_lines_each_and_the_lower_one_only_where_it_is_new(start, length, zone):
    found = [
        t.label.split("\n") for t in ticks(Instant(start), Instant(start + length), zone, WORDS)
    ]
    assert {len(lines) for lines in found} == {2}
    lower = [line for _, line in found if line]
    assert all(a != b for a, b in pairwise(lower))


@pytest.mark.parametrize(
    ("start", "end", "zone", "expected"),
    [
        pytest.param(
            "2026-03-02T23:35Z",
            "2026-03-03T00:35Z",
            "UTC",
            ["23:40\n2 Mar", "23:50\n", "00:00\n3 Mar", "00:10\n", "00:20\n", "00:30\n"],
            id="an-hour",
        ),
        pytest.param(
            "2026-03-29T00:00+01:00",
            "2026-03-29T05:00+02:00",
            "Europe/Berlin",
            ["00:00\n29 Mar", "01:00\n", "03:00\n", "04:00\n", "05:00\n"],
            id="a-skipped-hour",
        ),
        pytest.param(
            "2026-12-29T12:00Z",
            "2027-01-03T12:00Z",
            "UTC",
            ["30 Dec\n2026", "31 Dec\n", "1 Jan\n2027", "2 Jan\n", "3 Jan\n"],
            id="new-year",
        ),
        pytest.param(
            "2025-11-10T00:00Z",
            "2026-03-05T00:00Z",
            "UTC",
            ["Dec\n2025", "Jan\n2026", "Feb\n", "Mar\n"],
            id="months",
        ),
        pytest.param(
            "2023-05-01T00:00Z",
            "2028-05-01T00:00Z",
            "UTC",
            ["2024\n", "2025\n", "2026\n", "2027\n", "2028\n"],
            id="years",
        ),
    ],
)
def test_ticks_by_example(start, end, zone, expected):
    assert labels(start, end, zone) == expected


def test_a_date_is_the_day_in_the_zone():
    late = instant_of(dt.datetime(2026, 12, 31, 23, 30, tzinfo=dt.UTC))
    assert date(late, ZoneInfo("UTC"), WORDS) == "31 Dec 2026"
    assert date(late, ZoneInfo("Europe/Berlin"), WORDS) == "1 Jan 2027"
