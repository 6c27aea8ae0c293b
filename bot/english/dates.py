"""Dates: how they are written, and how people write them."""

import msgspec

Spellings = tuple[str, ...]
"""The spellings of one unit or name, in lower case; the first is the singular."""


class DateWords(msgspec.Struct, frozen=True, kw_only=True):
    """The vocabulary and word order of dates in one language; case is ignored.

    A form is a text with named placeholders in braces, so that each language has its own word
    order.
    """

    now: Spellings
    today: Spellings
    yesterday: Spellings
    weekdays: tuple[Spellings, ...]
    """Monday first."""
    months: tuple[Spellings, ...]
    """January first."""
    units: tuple[Spellings, ...]
    """Minute, hour, day, week, month, year."""
    one: Spellings
    """Words for the count 1."""
    ago: Spellings
    """Forms with {count} and {unit}."""
    last_period: Spellings
    """Forms with {period}: a week, a month or a year in the singular."""
    last_weekday: Spellings
    """Forms with {weekday}."""
    day_of_year: Spellings
    """Forms with {day} and {month}, and {year} where they name it."""
    whole_month: Spellings
    """Forms with {month} and {year}."""
    timed: Spellings
    """Forms with {date} and either {clock}, as in 9:15, or {hour}, as in 9."""


TODAY, TODAY_AT, YESTERDAY_AT = "today", "today at {time}", "yesterday at {time}"
TOMORROW, YESTERDAY = "tomorrow", "yesterday"
DAY_AGO, DAYS_AGO = "1 day ago", "{days} days ago"
DATE_AT, DATE_YEAR = "{day} {month} at {time}", "{day} {month} {year}"
DATE = "{day} {month}"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

DATES = DateWords(
    now=("now",),
    today=("today",),
    yesterday=("yesterday",),
    weekdays=(
        ("monday", "mon"),
        ("tuesday", "tue"),
        ("wednesday", "wed"),
        ("thursday", "thu"),
        ("friday", "fri"),
        ("saturday", "sat"),
        ("sunday", "sun"),
    ),
    months=(
        ("january", "jan"),
        ("february", "feb"),
        ("march", "mar"),
        ("april", "apr"),
        ("may",),
        ("june", "jun"),
        ("july", "jul"),
        ("august", "aug"),
        ("september", "sep"),
        ("october", "oct"),
        ("november", "nov"),
        ("december", "dec"),
    ),
    units=(
        ("minute", "minutes"),
        ("hour", "hours"),
        ("day", "days"),
        ("week", "weeks"),
        ("month", "months"),
        ("year", "years"),
    ),
    one=("a", "an"),
    ago=("{count} {unit} ago",),
    last_period=("last {period}",),
    last_weekday=("{weekday}", "last {weekday}"),
    day_of_year=(
        "{day} {month}",
        "{month} {day}",
        "{day} {month} {year}",
        "{month} {day} {year}",
    ),
    whole_month=("{month} {year}",),
    timed=("{date} {clock}", "{date} at {clock}", "{date} at {hour}"),
)
