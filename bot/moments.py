"""Moments as people write them: ISO 8601, or words such as "monday at 9:15" and "3 days ago".

A text that does not clearly match one of the forms is refused, never guessed at.
"""

import datetime as dt
from enum import Enum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.language import words
from bot.local_times import first_instant, last_instant, moment_at
from bot.written_days import (
    HOUR,
    MINUTE,
    UNITS,
    day_named,
    days_before,
    forms_of,
    meaning_of,
    month_named,
    number_of,
)
from ledger.errors import LedgerError
from ledger.instants import instant_of, moment_of_iso


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
