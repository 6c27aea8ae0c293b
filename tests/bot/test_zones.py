"""Periods: where the hours, days, weeks and months of a span end, by the clocks of any zone."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dates.zones import MOST_POINTS, PERIODS, TooManyPointsError, ends_of
from ledger.instants import DAY, Instant, instant_of, moment_of

ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Santiago", "Pacific/Apia", "Asia/Kathmandu"]
).map(ZoneInfo)
starts = st.integers(1_200_000_000_000_000, 1_800_000_000_000_000).map(Instant)


@given(st.sampled_from(PERIODS), starts, st.integers(0, 400 * DAY), ZONES)
def test_the_ends_ascend_to_the_end_and_leave_no_period_out(period, start, length, zone):
    end = Instant(start + length)
    ends = ends_of(period, start, end, zone)
    assert ends == sorted(set(ends))
    assert ends[0] >= start
    assert ends[-1] == end
    longest = {"hour": DAY // 24, "day": 2 * DAY, "week": 8 * DAY, "month": 32 * DAY}[period]
    assert all(b - a <= longest for a, b in zip([start, *ends], ends, strict=False))


@given(st.sampled_from(["day", "week", "month"]), starts, ZONES)
def test_all_but_the_last_are_the_last_microsecond_of_a_day(period, start, zone):
    for each in ends_of(period, start, Instant(start + 100 * DAY), zone)[:-1]:
        day, following = (
            moment_of(Instant(each + step)).astimezone(zone).date() for step in (0, 1)
        )
        assert following > day
        assert period != "week" or day.weekday() == 6
        assert period != "month" or following.day == 1


def test_weeks_end_with_sunday_and_the_last_point_is_the_end_itself():
    start, end = (instant_of(dt.datetime(2026, 3, day, 12, tzinfo=dt.UTC)) for day in (2, 17))
    ends = [
        f"{moment_of(each):%a %d %H:%M}" for each in ends_of("week", start, end, ZoneInfo("UTC"))
    ]
    assert ends == ["Sun 08 23:59", "Sun 15 23:59", "Tue 17 12:00"]


def test_a_span_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="must not end before it begins"):
        ends_of("day", Instant(5), Instant(4), ZoneInfo("UTC"))


def test_more_points_than_can_be_read_are_refused():
    with pytest.raises(TooManyPointsError, match=f"more than {MOST_POINTS:,} hours"):
        ends_of("hour", Instant(0), Instant(800 * DAY), ZoneInfo("UTC"))
