"""Instants: exact, in the order of time, the same from every zone, and refused without one."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.instants import DAY, Instant, instant_of, iso, moment_of
from tests.support import strategies

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
