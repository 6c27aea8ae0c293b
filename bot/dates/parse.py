"""Dates and moments as people write them: ISO 8601, "monday at 9:15", "3 weeks ago"."""

import calendar
import datetime as dt
import re
from collections.abc import Callable, Iterable
from enum import Enum
from string import Formatter
from typing import Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from bot.dates.zones import first_instant, last_instant, moment_at
from bot.english.dates import Spellings
from bot.language import words
from ledger.errors import LedgerError
from ledger.instants import instant_of, moment_of_iso

# Days: a date, a weekday, "yesterday", "3 weeks ago".

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


# Moments: ISO 8601, or words such as "monday at 9:15" and "3 days ago".
#
# A text that does not clearly match one of the forms is refused, never guessed at.


class InvalidMomentError(LedgerError, ValueError):
    """A text that does not name a moment."""


class Edge(Enum):
    """The instant that a bare day stands for."""

    START = "start"
    END = "end"


def moment_of_text(
    text: str, now: dt.datetime, zone: ZoneInfo, *, edge: Edge = Edge.END
) -> dt.datetime:
    """Return the aware moment that `text` means at `now` by the clocks of `zone`.

    A day, or a month with its year, means its last instant, or `now` if it is not over; with
    `Edge.START` it means its first. A date without a year is the latest that is not in the future,
    a weekday the latest before today. "3 weeks ago" and "last month" keep the time of day; a day
    of the month is limited to the month's last. Of a time that occurs twice the later is meant,
    with `Edge.START` the earlier; a time that is skipped means the moment of the skip.

    Raises InvalidMomentError for anything else, for ISO 8601 with a time but without a zone, and
    for moments outside the years 1 to 9999.
    """
    try:
        moment = _meant(text, _Reading(now, zone, edge))
    except OverflowError:
        message = f"{text[:40]!r} is outside the years 1 to 9999"
        raise InvalidMomentError(message) from None
    except ValueError:
        message = (
            f"{text[:40]!r} is neither ISO 8601, such as 2026-01-31 or 2026-01-31T10:00:00Z, nor a "
            "date in words, such as yesterday, 3 weeks ago or 31 Jan at 14:00"
        )
        raise InvalidMomentError(message) from None
    try:
        instant_of(moment)
    except ValueError as error:
        message = f"{text[:40]!r} {error}"
        raise InvalidMomentError(message) from None
    return moment


# --- when and where it is read -------------------------------------------------------------------


class _Reading(NamedTuple):
    """The context of a reading: the present, the zone, and the edge of a day that is meant."""

    now: dt.datetime
    zone: ZoneInfo
    edge: Edge

    @property
    def there(self) -> dt.datetime:
        return self.now.astimezone(self.zone)

    @property
    def today(self) -> dt.date:
        return self.there.date()

    def within(self, first: dt.date, last: dt.date) -> dt.datetime:
        """Return the edge of the days `first` to `last`."""
        if self.edge is Edge.START:
            return first_instant(first, self.zone)
        return self.now if first <= self.today <= last else last_instant(last, self.zone)

    def at(self, day: dt.date, time: dt.time) -> dt.datetime:
        """Return the moment of a time of day."""
        local = dt.datetime.combine(day, time)
        return moment_at(local, self.zone, second=self.edge is Edge.END)


def _meant(text: str, reading: _Reading) -> dt.datetime:
    said = " ".join(text.lower().split())
    moment = meaning_of(said, _FORMS, reading)
    if moment is not None:
        return moment
    day = day_named(said, reading.today)
    return moment_of_iso(text) if day is None else reading.within(day, day)


# --- what each form means ------------------------------------------------------------------------


def _now(reading: _Reading) -> dt.datetime:
    return reading.now


def _ago(reading: _Reading, count: str, unit: str) -> dt.datetime:
    if UNITS[unit] in _ELAPSED:
        return reading.now - number_of(count) * _ELAPSED[UNITS[unit]]
    return reading.at(days_before(reading.today, count, unit), reading.there.time())


def _last_period(reading: _Reading, period: str) -> dt.datetime:
    return _ago(reading, _ONE, period)


def _whole_month(reading: _Reading, month: str, year: str) -> dt.datetime:
    return reading.within(*month_named(month, year))


def _timed(
    reading: _Reading, date: str, clock: str | None = None, hour: str | None = None
) -> dt.datetime | None:
    today = reading.today
    day = day_named(date, today) or meaning_of(date, _DAYS_AGO, today)
    if day is None:
        return None
    hours, _, minutes = (clock or f"{hour}:0").partition(":")
    return reading.at(day, dt.time(int(hours), int(minutes)))


def _day_ago(today: dt.date, count: str, unit: str) -> dt.date | None:
    return None if UNITS[unit] in _ELAPSED else days_before(today, count, unit)


def _day_of_last_period(today: dt.date, period: str) -> dt.date:
    return days_before(today, _ONE, period)


_ONE = words.DATES.one[0]
_ELAPSED = {MINUTE: dt.timedelta(minutes=1), HOUR: dt.timedelta(hours=1)}
"""The units of fixed length."""

_DAYS_AGO = [
    *forms_of(words.DATES.ago, _day_ago),
    *forms_of(words.DATES.last_period, _day_of_last_period),
]
_FORMS = [
    *forms_of(words.DATES.now, _now),
    *forms_of(words.DATES.ago, _ago),
    *forms_of(words.DATES.last_period, _last_period),
    *forms_of(words.DATES.whole_month, _whole_month),
    *forms_of(words.DATES.timed, _timed),
]
