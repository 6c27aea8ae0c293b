"""Instants: exact, in the order of time, and read from all that ISO 8601 and Python write."""

import datetime as dt
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.instants import DAY, Instant, instant_of, iso, moment_of, moment_of_iso
from tests.support import strategies

# Conversion: exact, in the order of time, the same from every zone, and refused without one.

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=offsets)  # noqa: DTZ001 - bounds have no zone


@given(moments)
def test_a_moment_comes_back_from_its_instant(moment):
    assert moment_of(instant_of(moment)) == moment


@given(strategies.any_instants)
def test_an_instant_comes_back_from_its_moment(instant):
    assert instant_of(moment_of(instant)) == instant


@given(moments)
def test_an_instant_counts_the_microseconds_since_1970(moment):
    assert instant_of(moment) == (moment - EPOCH) // timedelta(microseconds=1)


@given(moments, moments)
def test_instants_are_in_the_order_of_time(one, other):
    assert (instant_of(one) < instant_of(other)) == (one < other)


@given(moments, offsets)
def test_the_zone_in_which_a_moment_is_told_makes_no_difference(moment, offset):
    assert instant_of(moment) == instant_of(moment.astimezone(offset))


@given(moments)
def test_a_day_is_24_hours(moment):
    assert instant_of(moment + timedelta(days=1)) - instant_of(moment) == DAY


@given(strategies.any_instants)
def test_iso_tells_the_instant_exactly_in_utc(instant):
    assert iso(instant).endswith("Z")
    assert instant_of(datetime.fromisoformat(iso(instant))) == instant


@given(st.lists(strategies.any_instants.map(lambda at: Instant(at // DAY * DAY)), max_size=5))
def test_iso_in_whole_seconds_sorts_as_time_does(instants):
    assert sorted(map(iso, instants)) == [iso(at) for at in sorted(instants)]


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (strategies.NOON, "2026-01-01T12:00:00Z"),
        (strategies.NOON + 500_000, "2026-01-01T12:00:00.500000Z"),
    ],
)
def test_iso_shows_microseconds_only_where_there_are_any(instant, text):
    assert iso(Instant(instant)) == text


class _Nowhere(tzinfo):
    """A zone that does not say how far it is from UTC: what has it is naive, says datetime."""

    def utcoffset(self, _: datetime | None) -> None:
        return None

    dst = utcoffset

    def tzname(self, _: datetime | None) -> str:
        return "nowhere"


@pytest.mark.parametrize("zone", [None, _Nowhere()], ids=["none", "without-an-offset"])
def test_a_naive_moment_names_no_instant(zone):
    with pytest.raises(ValueError, match="time zone"):
        instant_of(datetime(2026, 1, 1, tzinfo=zone))


# Moments in ISO 8601 and RFC 3339: all that Python writes, and what its reader refuses.

ZONES = st.integers(-14 * 60, 14 * 60).map(
    lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))
)
MOMENTS = st.builds(
    dt.datetime.combine, st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)), st.times(), ZONES
)
WRITTEN_DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)


@given(MOMENTS, st.booleans())
def test_what_python_writes_is_read_back_in_any_case(moment, lower):
    text = moment.isoformat().replace("+00:00", "Z")
    assert moment_of_iso(text.lower() if lower else text) == moment


@given(st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)), ZONES)
def test_24_00_is_the_end_of_its_day_in_every_form(day, zone):
    midnight = dt.datetime.combine(day, dt.time(), zone)
    zone_text = midnight.isoformat()[19:]
    for time in ("24", "24:00", "24:00:00", "24:00:00.000", "24:00:00,0", "2400", "240000"):
        assert moment_of_iso(f"{day}T{time}{zone_text}") == midnight + WRITTEN_DAY


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
