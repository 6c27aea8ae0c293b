"""Moments in words: each form means one thing on the clocks of the zone; nothing is guessed."""

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import english
from bot.dates.format import since, when
from bot.dates.parse import Edge, InvalidMomentError, moment_of_text
from bot.dates.zones import first_instant, last_instant, moment_at
from ledger.instants import instant_of, moment_of
from tests.support.strategies import hostile_texts

UTC = ZoneInfo("UTC")
NOW = dt.datetime(2026, 11, 25, 12, 0, 37, tzinfo=dt.UTC)
"""A Wednesday, at noon."""
TICK = dt.timedelta(microseconds=1)

ZONES = (
    "UTC", "Europe/Berlin", "America/Santiago", "Asia/Beirut", "America/Havana", "Pacific/Apia",
    "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "Etc/GMT+12", "Australia/Lord_Howe",
    "Africa/Casablanca",
)  # fmt: skip
zones = st.sampled_from(ZONES).map(ZoneInfo)
days = st.dates(dt.date(1905, 1, 1), dt.date(2100, 12, 31))
presents = st.builds(dt.datetime.combine, days, st.times(), st.just(dt.UTC))
edges = st.sampled_from(Edge)


def read(text: str, now: dt.datetime = NOW, zone: ZoneInfo = UTC, edge: Edge = Edge.END) -> str:
    moment = moment_of_text(text, now, zone, edge=edge)
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


# --- forms ---------------------------------------------------------------------------------------

END = "T23:59:59.999999"
MOMENTS = {
    "now": "2026-11-25T12:00:37.000000",
    "today": "2026-11-25T12:00:37.000000",
    "yesterday": f"2026-11-24{END}",
    "monday": f"2026-11-23{END}",
    "Mon": f"2026-11-23{END}",
    "LAST MONDAY": f"2026-11-23{END}",
    "wednesday": f"2026-11-18{END}",
    "last wed": f"2026-11-18{END}",
    "thu": f"2026-11-19{END}",
    "an hour ago": "2026-11-25T11:00:37.000000",
    "90 minutes ago": "2026-11-25T10:30:37.000000",
    "a day ago": "2026-11-24T12:00:37.000000",
    "3 days ago": "2026-11-22T12:00:37.000000",
    "2 weeks ago": "2026-11-11T12:00:37.000000",
    "9 months ago": "2026-02-25T12:00:37.000000",
    "11 months ago": "2025-12-25T12:00:37.000000",
    "2 years ago": "2024-11-25T12:00:37.000000",
    "last week": "2026-11-18T12:00:37.000000",
    "last month": "2026-10-25T12:00:37.000000",
    "last year": "2025-11-25T12:00:37.000000",
    "31 Jan": f"2026-01-31{END}",
    "Jan 31": f"2026-01-31{END}",
    "26 nov": f"2025-11-26{END}",
    "25 november": "2026-11-25T12:00:37.000000",
    "29 Feb": f"2024-02-29{END}",
    "31 January 2025": f"2025-01-31{END}",
    "january 31 2025": f"2025-01-31{END}",
    "01 jan 2027": f"2027-01-01{END}",
    "January 2026": f"2026-01-31{END}",
    "feb 2024": f"2024-02-29{END}",
    "November 2026": "2026-11-25T12:00:37.000000",
    "December 2026": f"2026-12-31{END}",
    "2026-01-31": f"2026-01-31{END}",
    "20260131": f"2026-01-31{END}",
    "2026-01-31T10:00:00+02:00": "2026-01-31T08:00:00.000000",
    "yesterday 14:00": "2026-11-24T14:00:00.000000",
    "today at 12:00": "2026-11-25T12:00:00.000000",
    "today at 23": "2026-11-25T23:00:00.000000",
    "monday at 9:15": "2026-11-23T09:15:00.000000",
    "last mon 09:15": "2026-11-23T09:15:00.000000",
    "31 Jan at 9": "2026-01-31T09:00:00.000000",
    "Jan 31 2025 at 0": "2025-01-31T00:00:00.000000",
    "2 weeks ago at 9": "2026-11-11T09:00:00.000000",
    "last month 9:00": "2026-10-25T09:00:00.000000",
    "2026-01-31 14:00": "2026-01-31T14:00:00.000000",
    "2026-01-31 at 14:00": "2026-01-31T14:00:00.000000",
    " last \u00a0 monday\n": f"2026-11-23{END}",
}
FIRSTS = {
    "now": "2026-11-25T12:00:37.000000",
    "today": "2026-11-25T00:00:00.000000",
    "monday": "2026-11-23T00:00:00.000000",
    "31 Jan": "2026-01-31T00:00:00.000000",
    "2026-01-31": "2026-01-31T00:00:00.000000",
    "november 2026": "2026-11-01T00:00:00.000000",
    "3 days ago": "2026-11-22T12:00:37.000000",
    "last year": "2025-11-25T12:00:37.000000",
    "monday at 9:15": "2026-11-23T09:15:00.000000",
}


@pytest.mark.parametrize(("text", "moment"), MOMENTS.items())
def test_a_moment_can_be_written_in_words(text, moment):
    assert read(text) == moment


@pytest.mark.parametrize(("text", "moment"), FIRSTS.items())
def test_where_something_begins_a_day_means_its_first_instant(text, moment):
    assert read(text, edge=Edge.START) == moment


@pytest.mark.parametrize(
    ("text", "now", "moment"),
    [
        ("a month ago", "2026-03-31T10:00:00Z", "2026-02-28T10:00:00.000000"),
        ("last month", "2024-03-30T10:00:00Z", "2024-02-29T10:00:00.000000"),
        ("a year ago", "2024-02-29T10:00:00Z", "2023-02-28T10:00:00.000000"),
        ("4 years ago", "2024-02-29T10:00:00Z", "2020-02-29T10:00:00.000000"),
        ("29 Feb", "1904-02-28T10:00:00Z", f"1896-02-29{END}"),
        ("1 Jan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000"),
    ],
)
def test_months_have_the_days_that_they_have(text, now, moment):
    assert read(text, dt.datetime.fromisoformat(now)) == moment


REFUSED = (
    "", " ", "5", "9:15", "at 9", "14", "2026", "2026-01", "tomorrow", "next monday", "noon",
    "yesterday 9", "31 Jan 9", "yesterday at", "yesterday at 24", "yesterday at 9:60",
    "yesterday 9:5", "yesterday at 9 at 9", "yesterday at at 9", "yesterday yesterday",
    "yesterday at 9pm", "yesterday at ٩", "٣ days ago", "mo", "mond", "sept 1", "January", "Jan",
    "last january", "30 Feb", "31 june 2026", "29 Feb 2025", "0 Jan", "32 Jan", "Jan 0000",
    "1 Jan 0000", "1 Jan 26", "31st Jan", "January 2026 at 9", "now at 9", "2 hours ago at 9",
    "0 days ago", "-1 days ago", "1.5 hours ago", "days ago", "3 days", "ago", "last", "last day",
    "last hour", "last weeks", "last last monday", "last 31 Jan", "last yesterday",
    "2026-01-31T14:00", "2026-13-01", "31/01/2026", "31.1.2026", "1735689600", "yester day",
    "3 fortnights ago", "{date} at 9", ".*", "(?P<day>1) jan",
)  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("edge", Edge)
def test_what_is_none_of_the_forms_is_refused(text, edge):
    with pytest.raises(InvalidMomentError, match=r"neither ISO 8601|needs a time zone"):
        read(text, edge=edge)


@pytest.mark.parametrize(
    "text",
    ["3000 years ago", "999999999 years ago", "999999999 days ago", "999999999 hours ago"],
)
def test_what_is_outside_the_years_of_the_calendar_is_refused(text):
    with pytest.raises(InvalidMomentError, match="outside the years 1 to 9999"):
        read(text)


LIMITS = [dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)]
pieces = st.lists(st.sampled_from([*" ".join(MOMENTS).split(), "0001", "9999", "31"]), max_size=5)
texts = hostile_texts | st.sampled_from([*MOMENTS, *REFUSED]) | pieces.map(" ".join)


@given(texts, presents | st.sampled_from(LIMITS), zones, edges)
def test_a_text_is_an_instant_of_the_ledger_or_refused(text, now, zone, edge):
    try:
        moment = moment_of_text(text, now, zone, edge=edge)
    except InvalidMomentError:
        return
    assert moment == moment_of(instant_of(moment))


LETTERS = re.compile(r"[^\W\d_]+")
NAMED = {*english.DATES.now, *english.DATES.today, *english.DATES.yesterday, "ago", "last"}
WORDS = NAMED.union(*english.DATES.weekdays, *english.DATES.months)
"""Without one of these, or a year, nothing is a moment."""


@given(hostile_texts | st.text(max_size=20))
def test_nonsense_is_never_a_moment(text):
    letters = {word.lower() for word in LETTERS.findall(text)}
    if letters & WORDS or re.search("[0-9]{4}", text):
        return
    with pytest.raises(InvalidMomentError):
        read(text)


# --- rendered, and read again --------------------------------------------------------------------

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def phrases(day: dt.date, today: dt.date) -> list[str]:
    """Every way in which a day may be written, looked at from today."""
    month, ago = MONTHS[day.month - 1], (today - day).days
    months = (month, month[:3], month.upper())
    dates = [f"{day.day} {name}" for name in months] + [f"{name} {day.day}" for name in months]
    written = [day.isoformat(), *(f"{date} {day.year:04}" for date in dates)]
    if 0 <= ago < 365:
        written += dates
    if ago in range(2):
        written.append(("today", "yesterday")[ago])
    if ago in range(1, 8):
        weekday = WEEKDAYS[day.weekday()]
        written += [weekday, weekday[:3], f"last {weekday}", f"last {weekday[:3].lower()}"]
    return written


def instants_of(day: dt.date, zone: ZoneInfo) -> list[dt.datetime]:
    """The minutes of the time around a day that the clocks say are within it."""
    around = dt.datetime.combine(day, dt.time(), dt.UTC) - dt.timedelta(hours=27)
    minutes = (around + dt.timedelta(minutes=number) for number in range(80 * 60))
    return [each for each in minutes if each.astimezone(zone).date() == day]


agos = st.integers(-3, 9) | st.integers(-400, 900)


@given(presents, agos, zones, st.data())
def test_a_day_however_it_is_written_means_its_last_instant(now, ago, zone, data):
    today = now.astimezone(zone).date()
    day = today - dt.timedelta(days=ago)
    text = data.draw(st.sampled_from(phrases(day, today)))
    end = moment_of_text(text, now, zone)
    start = moment_of_text(text, now, zone, edge=Edge.START)
    assert end == (now if day == today else last_instant(day, zone))
    assert start == first_instant(day, zone)


@given(presents, st.integers(0, 178), st.times(), zones)
def test_what_the_bot_says_of_a_moment_can_be_asked_for(now, ago, time, zone):
    there = now.astimezone(zone)
    moment = min(
        now,
        moment_at(
            dt.datetime.combine(there.date() - dt.timedelta(days=ago), time), zone, second=True
        ),
    )
    again = moment_of_text(when(moment, now, zone), now, zone)
    shown = f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
    assert f"{again.astimezone(zone):%Y-%m-%d %H:%M}" == shown


@given(presents, st.integers(180, 20_000), zones)
def test_a_date_that_the_bot_says_can_be_asked_for(now, ago, zone):
    moment = now - dt.timedelta(days=ago + 1)
    again = moment_of_text(when(moment, now, zone), now, zone)
    assert again == last_instant(moment.astimezone(zone).date(), zone)


@given(presents, st.integers(1, 5_000), zones)
def test_so_many_days_ago_is_the_same_time_of_day(now, ago, zone):
    there = now.astimezone(zone).replace(tzinfo=None) - dt.timedelta(days=ago)
    assert moment_of_text(since(ago), now, zone) == moment_at(there, zone, second=True)


# --- clocks that are put forward or back ---------------------------------------------------------

SPANS = {
    "an ordinary day": ("Europe/Berlin", "2026-01-31", "2026-01-30T23:00Z", "2026-01-31T23:00Z"),
    "25 hours": ("Europe/Berlin", "2025-10-26", "2025-10-25T22:00Z", "2025-10-26T23:00Z"),
    "no midnight": ("America/Santiago", "2025-09-07", "2025-09-07T04:00Z", "2025-09-08T03:00Z"),
    "before that": ("America/Santiago", "2025-09-06", "2025-09-06T04:00Z", "2025-09-07T04:00Z"),
    "ends twice": ("America/Santiago", "2025-04-05", "2025-04-05T03:00Z", "2025-04-06T04:00Z"),
    "none in Beirut": ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00Z", "2024-03-31T21:00Z"),
    "twice in Beirut": ("Asia/Beirut", "2024-10-26", "2024-10-25T21:00Z", "2024-10-26T22:00Z"),
    "two midnights": ("America/Havana", "2025-11-02", "2025-11-02T04:00Z", "2025-11-03T05:00Z"),
    "before two": ("America/Havana", "2025-11-01", "2025-11-01T04:00Z", "2025-11-02T04:00Z"),
    "begun before": ("America/St_Johns", "2010-11-06", "2010-11-06T02:30Z", "2010-11-07T03:30Z"),
    "starts twice": ("America/St_Johns", "2010-11-07", "2010-11-07T02:30Z", "2010-11-08T03:30Z"),
    "no such day": ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z", "2011-12-30T10:00Z"),
    "before none": ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00Z", "2011-12-30T10:00Z"),
    "after none": ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00Z", "2011-12-31T10:00Z"),
    "an end left out": ("America/Toronto", "1919-03-30", "1919-03-30T05:00Z", "1919-03-31T04:30Z"),
    "a half hour late": ("America/Toronto", "1919-03-31", "1919-03-31T04:30Z", "1919-04-01T04:00Z"),
}  # fmt: skip


@pytest.mark.parametrize(("zone", "day", "begins", "ends"), SPANS.values(), ids=SPANS)
def test_a_day_is_as_long_as_the_clocks_make_it(zone, day, begins, ends):
    there = ZoneInfo(zone)
    first = moment_of_text(day, NOW, there, edge=Edge.START)
    last = moment_of_text(day, NOW, there)
    assert first == dt.datetime.fromisoformat(begins)
    assert last == dt.datetime.fromisoformat(ends) - TICK


@given(days, zones)
def test_the_minutes_of_a_day_lie_between_its_first_instant_and_its_last(day, zone):
    within = instants_of(day, zone)
    first, last = first_instant(day, zone), last_instant(day, zone)
    if not within:
        assert (zone.key, day) == ("Pacific/Apia", dt.date(2011, 12, 30))
        assert first - last == TICK
        return
    minute = dt.timedelta(minutes=1)
    assert within[0] - minute < first <= within[0]
    assert within[-1] <= last < within[-1] + minute


CLOCKS = {
    "jumped over": ("Europe/Berlin", "2026-03-29 2:30", "01:00:00", "01:00:00"),
    "shown twice": ("Europe/Berlin", "2025-10-26 2:30", "00:30:00", "01:30:00"),
    "midnight jumped over": ("America/Santiago", "2025-09-07 0:15", "04:00:00", "04:00:00"),
    "on a day left out": ("Pacific/Apia", "30 Dec 2011 at 14:00", "10:00:00", "10:00:00"),
    "half an hour jumped over": ("Australia/Lord_Howe", "4 Oct 2026 2:15", "15:30:00", "15:30:00"),
}


@pytest.mark.parametrize(("zone", "text", "first", "second"), CLOCKS.values(), ids=CLOCKS)
def test_a_time_that_clocks_show_twice_or_never_has_its_moment(zone, text, first, second):
    there = ZoneInfo(zone)
    assert read(text, NOW, there, Edge.START)[11:19] == first
    assert read(text, NOW, there, Edge.END)[11:19] == second


def test_moments_that_differ_in_their_offset_only_are_told_apart():
    berlin = ZoneInfo("Europe/Berlin")
    first, second = (moment_of_text("2025-10-26 2:30", NOW, berlin, edge=edge) for edge in Edge)
    assert second - first == dt.timedelta(hours=1)


def test_hours_are_elapsed_and_days_are_the_clocks():
    berlin, after = ZoneInfo("Europe/Berlin"), dt.datetime(2026, 3, 29, 10, tzinfo=dt.UTC)
    assert read("24 hours ago", after, berlin) == "2026-03-28T10:00:00.000000"
    assert read("1 day ago", after, berlin) == "2026-03-28T11:00:00.000000"
    assert read("yesterday at 12:00", after, berlin) == "2026-03-28T11:00:00.000000"
