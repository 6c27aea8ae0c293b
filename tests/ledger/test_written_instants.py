"""Moments in ISO 8601 and RFC 3339: all that Python writes, and what its reader refuses."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.instants import moment_of_iso

ZONES = st.integers(-14 * 60, 14 * 60).map(
    lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))
)
MOMENTS = st.builds(
    dt.datetime.combine, st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)), st.times(), ZONES
)
DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)


@given(MOMENTS, st.booleans())
def test_what_python_writes_is_read_back_in_any_case(moment, lower):
    text = moment.isoformat().replace("+00:00", "Z")
    assert moment_of_iso(text.lower() if lower else text) == moment


@given(st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)), ZONES)
def test_24_00_is_the_end_of_its_day_in_every_form(day, zone):
    midnight = dt.datetime.combine(day, dt.time(), zone)
    zone_text = midnight.isoformat()[19:]
    for time in ("24", "24:00", "24:00:00", "24:00:00.000", "24:00:00,0", "2400", "240000"):
        assert moment_of_iso(f"{day}T{time}{zone_text}") == midnight + DAY


@given(st.integers(2000, 2100), st.integers(1, 12), ZONES)
def test_a_leap_second_is_the_first_second_of_the_next_month_in_utc(year, month, zone):
    after = dt.datetime(year, month, 1, tzinfo=dt.UTC)
    written = (after - SECOND).astimezone(zone).isoformat()
    assert written[17:19] == "59"
    leap = f"{written[:17]}60{written[19:]}"
    assert moment_of_iso(leap) == after
    assert moment_of_iso(leap.replace(":60", ":60.5")) == after + SECOND / 2


def test_a_moment_without_a_zone_stays_naive():
    for text in ("2016-12-31T24:00:00", "2016-12-31T23:59:60"):
        assert moment_of_iso(text).isoformat() == "2017-01-01T00:00:00"


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T24:00:01Z",
        "2026-01-02T24:01Z",
        "2026-01-02T24:00:00.1Z",
        "2026-01-02T24.0Z",
        "2026-01-02T25:00:00Z",
        "2026-01-02T10:00:60Z",
        "2026-01-02T23:59:60Z",
        "2026-01-31T23:60:60Z",
        "2026-01-31T23:59:61Z",
        "2026-02-30T24:00:00Z",
        "24:00:00Z",
        "T24",
        "60",
        "",
    ],
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        moment_of_iso(text)


def test_the_end_of_the_last_day_is_beyond_all_days():
    with pytest.raises(OverflowError):
        moment_of_iso("9999-12-31T24:00:00Z")
