"""Moments in words: clear, on the reader's own calendar, and never an exception."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dates.format import since, when
from ledger.commands import EARLIEST
from ledger.instants import Instant, instant_of, moment_of

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)

zones = st.sampled_from(
    ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/Havana", "Asia/Kathmandu", "Europe/Berlin"]
).map(ZoneInfo)
moments = st.datetimes(timezones=zones)
common_moments = st.datetimes(
    dt.datetime(2, 1, 1),  # noqa: DTZ001 - bounds have no zone
    dt.datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=zones,
)
nows = st.integers(EARLIEST, instant_of(dt.datetime(9999, 1, 1, tzinfo=dt.UTC)) - 1).map(Instant)


@pytest.mark.parametrize(
    ("moment", "zone", "words"),
    [
        ("2026-01-01T11:59:00Z", "UTC", "today at 11:59"),
        ("2026-01-01T23:59:00Z", "UTC", "today at 23:59"),
        ("2026-01-01T23:59:00Z", "Asia/Kathmandu", "2 Jan at 05:44"),
        ("2025-12-31T18:15:00Z", "Asia/Kathmandu", "today at 00:00"),
        ("2025-12-31T18:14:59Z", "Asia/Kathmandu", "yesterday at 23:59"),
        ("2025-12-31T00:00:00Z", "UTC", "yesterday at 00:00"),
        ("2025-12-30T23:59:00Z", "UTC", "30 Dec at 23:59"),
        ("2025-07-06T08:05:00Z", "UTC", "6 Jul at 08:05"),
        ("2025-07-05T08:05:00Z", "UTC", "5 Jul 2025"),
        ("2000-01-01T00:00:00Z", "UTC", "1 Jan 2000"),
        ("2026-06-29T00:00:00Z", "UTC", "29 Jun at 00:00"),
        ("2026-06-30T00:00:00Z", "UTC", "30 Jun 2026"),
        ("9999-12-31T23:59:59Z", "Asia/Kathmandu", "31 Dec 9999"),
        ("0001-01-01T00:00:00Z", "America/Havana", "1 Jan 1"),
    ],
)
def test_a_moment_is_told_by_the_calendar_of_the_zone(moment, zone, words):
    assert when(dt.datetime.fromisoformat(moment), NOON, ZoneInfo(zone)) == words


@given(moments, nows.map(moment_of), zones)
def test_every_moment_can_be_told(moment, now, zone):
    told = when(moment, now, zone)
    assert told.isprintable()
    assert "{" not in told


@given(common_moments, zones)
def test_a_moment_of_the_same_day_is_today(moment, zone):
    there = moment.astimezone(zone)
    assert when(moment, moment, zone) == f"today at {there:%H:%M}"


@pytest.mark.parametrize(
    ("days", "words"),
    [(0, "today"), (1, "1 day ago"), (2, "2 days ago"), (36_500, "36500 days ago")],
)
def test_whole_days_are_told_in_words(days, words):
    assert since(days) == words
