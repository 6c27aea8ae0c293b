"""The words in which dates are written."""

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
