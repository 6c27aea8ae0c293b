"""The words in which dates are written."""

import msgspec

Spellings = tuple[str, ...]
"""How one thing may be written, in lower case; what stands first is its singular."""


class DateWords(msgspec.Struct, frozen=True, kw_only=True):
    """How people write dates in one language; capitals make no difference.

    A form is a text with names in braces where something stands. Each may stand for what is said
    here of it, so that another language can put its words in another order.
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
    """What may stand for the count 1."""
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
