"""Parsing of days: a date, a weekday, "yesterday", "3 weeks ago"."""

import calendar
import datetime as dt
import re
from collections.abc import Callable, Iterable
from string import Formatter
from typing import Generic, NamedTuple, TypeVar

from bot.date_words import Spellings
from bot.language import words

Meant = TypeVar("Meant")

MINUTE, HOUR, DAY, WEEK, MONTH, YEAR = range(6)
"""The units, in the order of `DateWords.units`."""


def day_named(said: str, today: dt.date) -> dt.date | None:
    """Return the day that a text in lower case names, or None if it is not a day.

    A date without a year is the latest that is not in the future, a weekday the latest before
    today. Raises ValueError for a day that its month does not have.
    """
    try:
        return dt.date.fromisoformat(said.upper())
    except ValueError:
        return meaning_of(said, _DAY_FORMS, today)


def days_before(today: dt.date, count: str, unit: str) -> dt.date:
    """Return the day `count` units before today, limited to the last day of its month.

    Raises OverflowError for a day before the year 1.
    """
    number, index = number_of(count), UNITS[unit]
    if index in {DAY, WEEK}:
        return today - number * dt.timedelta(days=7 if index == WEEK else 1)
    months = number * 12 if index == YEAR else number
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    if year < dt.MINYEAR:
        raise OverflowError
    return dt.date(year, month + 1, min(today.day, _length(year, month + 1)))


def month_named(month: str, year: str) -> tuple[dt.date, dt.date]:
    """Return the first and the last day of a month; raise ValueError for one of the year 0."""
    first = dt.date(int(year), _MONTHS[month] + 1, 1)
    return first, first.replace(day=_length(first.year, first.month))


def number_of(count: str) -> int:
    """Parse a count in digits or words."""
    return 1 if count in words.DATES.one else int(count)


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


# --- what each form means ------------------------------------------------------------------------


def _today(today: dt.date) -> dt.date:
    return today


def _yesterday(today: dt.date) -> dt.date:
    return today - dt.timedelta(days=1)


def _last_weekday(today: dt.date, weekday: str) -> dt.date:
    return today - dt.timedelta(days=(today.weekday() - _WEEKDAYS[weekday] - 1) % 7 + 1)


def _day_of_year(today: dt.date, day: str, month: str, year: str | None = None) -> dt.date:
    number = _MONTHS[month] + 1
    if year is not None:
        return dt.date(int(year), number, int(day))
    # The 29th of February is at most eight years ago, as in 1904 before its day.
    for candidate in range(today.year, max(0, today.year - 9), -1):
        if int(day) <= _length(candidate, number):
            found = dt.date(candidate, number, int(day))
            if found <= today:
                return found
    raise ValueError


# --- forms ---------------------------------------------------------------------------------------


class Form(NamedTuple, Generic[Meant]):
    """A way to write something: a pattern, and a function of its parts that may return None."""

    pattern: re.Pattern[str]
    meaning: Callable[..., Meant | None]


def meaning_of(said: str, forms: Iterable[Form[Meant]], *about: object) -> Meant | None:
    """Return the meaning of a text by the first of `forms` that matches, or None.

    The form's function is called with `about` and, by name, the parts of the text.
    """
    for form in forms:
        match = form.pattern.fullmatch(said)
        meant = form.meaning(*about, **match.groupdict()) if match else None
        if meant is not None:
            return meant
    return None


def forms_of(written: Spellings, meaning: Callable[..., Meant | None]) -> list[Form[Meant]]:
    """Compile the templates of one kind of date into forms."""
    return [
        Form(re.compile("".join(map(_pattern, Formatter().parse(each)))), meaning)
        for each in written
    ]


def _pattern(piece: tuple[str, str | None, str | None, str | None]) -> str:
    literal, name, *_ = piece
    return re.escape(literal) + (f"(?P<{name}>{_PARTS[name]})" if name else "")


def _indices(names: Iterable[Spellings]) -> dict[str, int]:
    return {spelling: index for index, spellings in enumerate(names) for spelling in spellings}


def _any_of(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, names))


UNITS = _indices(words.DATES.units)
"""The unit of each name."""
_WEEKDAYS = _indices(words.DATES.weekdays)
_MONTHS = _indices(words.DATES.months)

_PARTS = {
    "count": rf"{_any_of(words.DATES.one)}|[1-9][0-9]{{0,8}}",
    "unit": _any_of(UNITS),
    "period": _any_of(spellings[0] for spellings in words.DATES.units[WEEK:]),
    "weekday": _any_of(_WEEKDAYS),
    "month": _any_of(_MONTHS),
    "day": "0?[1-9]|[12][0-9]|3[01]",
    "year": "[0-9]{4}",
    "date": ".+",
    "clock": "(?:[01]?[0-9]|2[0-3]):[0-5][0-9]",
    "hour": "[01]?[0-9]|2[0-3]",
}

_DAY_FORMS = [
    *forms_of(words.DATES.today, _today),
    *forms_of(words.DATES.yesterday, _yesterday),
    *forms_of(words.DATES.last_weekday, _last_weekday),
    *forms_of(words.DATES.day_of_year, _day_of_year),
]
