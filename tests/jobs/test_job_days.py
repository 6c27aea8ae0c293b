"""Which days are due: what a walk through every real hour of the zone says."""

import datetime as dt
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]  # it has no types
from hypothesis import given
from hypothesis import strategies as st

from bot.dates.job_days import CLEANUP, DECAY, due_days
from tests.support.odd_zones import ALL, HOUR, ODD, closed, days_seen, wall

DAY = dt.timedelta(days=1)
APIA = ZoneInfo("Pacific/Apia")

zones = (st.sampled_from(ODD) | st.sampled_from(ALL)).map(ZoneInfo)
schedules = st.sampled_from([DECAY, CLEANUP])
moments = st.integers(0, 70 * 365 * 24 * 60).map(
    lambda minutes: dt.datetime(1967, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)
)
pasts = st.integers(0, 40).map(dt.timedelta)


@cache
def changes(zone: ZoneInfo, year: int) -> list[dt.datetime]:
    """When the clocks of the zone are changed in a year, to the day before."""
    start = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
    days = [start + number * DAY for number in range(366)]
    offsets = [day.astimezone(zone).utcoffset() for day in days]
    pairs = zip(days, offsets, offsets[1:], strict=False)
    return [day for day, before, after in pairs if before != after]


@st.composite
def moments_near_changes(draw):
    """A zone, and a moment within some days of a change of its clocks where there is one."""
    zone = draw(zones)
    moment = draw(moments)
    near = draw(st.sampled_from(changes(zone, moment.year) or [moment]))
    minutes = st.integers(-48 * 60, 72 * 60).map(lambda number: dt.timedelta(minutes=number))
    return zone, near + draw(minutes)


# --- properties ----------------------------------------------------------------------------------


@given(moments_near_changes(), pasts, schedules)
def test_every_day_since_the_last_one_done_is_due_that_the_zone_had(where, past, schedule):
    zone, now = where
    days = days_seen(now - past - 9 * DAY, now, zone)
    last_done = wall(now - past, zone).date()
    expected = [day for day in closed(schedule, days, wall(now, zone)) if day > last_done]
    assert due_days(schedule, last_done, now, zone) == expected


@given(moments_near_changes(), schedules)
def test_where_nothing_was_done_only_the_latest_day_is_due(where, schedule):
    zone, now = where
    days = days_seen(now - 16 * DAY, now, zone)
    latest = closed(schedule, days, wall(now, zone))[-1]
    assert due_days(schedule, None, now, zone) == [latest]


@given(moments_near_changes(), schedules)
def test_nothing_is_due_again_when_it_was_done(where, schedule):
    zone, now = where
    last_done = due_days(schedule, None, now, zone)[-1]
    assert due_days(schedule, last_done, now, zone) == []
    for hours in range(48):  # also while the clocks go back
        for day in due_days(schedule, last_done, now + hours * HOUR, zone):
            assert day > last_done


@given(moments_near_changes(), schedules)
def test_it_does_not_matter_in_which_zone_the_present_is_told(where, schedule):
    zone, now = where
    last_done = now.date() - 20 * DAY
    told = [due_days(schedule, last_done, now.astimezone(ZoneInfo(each)), zone) for each in ODD]
    assert all(days == told[0] for days in told)


# --- by example ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "last_done", "now", "expected"),
    [
        pytest.param("UTC", "2026-01-01", "2026-01-02T23:59:59", [], id="a-day-is-not-over"),
        pytest.param("UTC", "2026-01-01", "2026-01-03T00:00:00", ["2026-01-02"], id="midnight"),
        pytest.param(
            "America/Santiago", "2023-09-01", "2023-09-03T03:59:59", [], id="before-the-gap"
        ),
        pytest.param(
            "America/Santiago",
            "2023-09-01",
            "2023-09-03T04:00:00",  # 23:59:59 was followed by 01:00:00
            ["2023-09-02"],
            id="no-midnight",
        ),
        pytest.param(
            "America/Santiago",
            "2023-09-02",
            "2023-09-04T03:00:00",
            ["2023-09-03"],
            id="a-day-without-a-midnight",
        ),
        pytest.param(
            "America/Nuuk",
            "2024-03-29",
            "2024-04-01T03:00:00",
            ["2024-03-30", "2024-03-31"],
            id="a-day-without-its-last-hour",
        ),
        pytest.param(
            "Pacific/Apia",
            "2011-12-28",
            "2011-12-31T10:00:00",
            ["2011-12-29", "2011-12-31"],
            id="a-day-that-never-was",
        ),
        pytest.param(
            "America/St_Johns",
            "2010-11-05",
            "2010-11-07T02:30:30",  # 00:00:30; half a minute later it is 23:01 again
            ["2010-11-06"],
            id="the-end-comes-twice-1",
        ),
        pytest.param(
            "America/St_Johns", "2010-11-06", "2010-11-07T03:00:00", [], id="the-end-comes-twice-2"
        ),
        pytest.param(
            "America/St_Johns", "2010-11-06", "2010-11-07T04:00:00", [], id="the-end-comes-twice-3"
        ),
    ],
)
def test_a_day_is_due_for_decay_when_it_is_over(zone, last_done, now, expected):
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    due = due_days(DECAY, dt.date.fromisoformat(last_done), moment, ZoneInfo(zone))
    assert [day.isoformat() for day in due] == expected


@pytest.mark.parametrize(
    ("zone", "now", "expected"),
    [
        pytest.param("UTC", "2026-03-29T01:59:59", [], id="before"),
        pytest.param("UTC", "2026-03-29T02:00:00", ["2026-03-29"], id="two-o-clock"),
        pytest.param("UTC", "2026-04-04T23:00:00", ["2026-03-29"], id="all-week"),
        pytest.param("Europe/Berlin", "2026-03-29T00:59:59", [], id="before-the-gap"),
        pytest.param("Europe/Berlin", "2026-03-29T01:00:00", ["2026-03-29"], id="no-two-o-clock"),
        pytest.param("Europe/Berlin", "2025-10-26T00:30:00", ["2025-10-26"], id="comes-twice"),
    ],
)
def test_a_sunday_is_due_for_cleanup_from_two_o_clock_on(zone, now, expected):
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    last_done = dt.date.fromisoformat("2026-03-22" if now > "2026" else "2025-10-19")
    due = due_days(CLEANUP, last_done, moment, ZoneInfo(zone))
    assert [day.isoformat() for day in due] == expected


def test_years_of_absence_are_caught_up_without_the_day_that_never_was():
    now = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)
    due = due_days(DECAY, dt.date(2010, 12, 31), now, APIA)
    assert len(due) == 10 * 365 + 3 - 1
    assert dt.date(2011, 12, 30) not in due


# --- asking often enough -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD)
def test_the_schedulers_trigger_asks_at_every_full_hour_whatever_the_clocks_do(name):
    zone = ZoneInfo(name)
    trigger = CronTrigger(minute=0, timezone=zone)
    longest = 1.5 * HOUR if name == "Australia/Lord_Howe" else HOUR
    for change in [each for year in (1994, 2010, 2011, 2023) for each in changes(zone, year)]:
        before, now = None, change - dt.timedelta(milliseconds=1)
        while now < change + 27 * HOUR:
            before = trigger.get_next_fire_time(before, now)
            asked = before.astimezone(dt.UTC)
            assert dt.timedelta(0) < asked - now <= longest
            assert wall(asked, zone).minute == 0
            now = asked + dt.timedelta(milliseconds=1)
