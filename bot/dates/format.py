"""Moments in words for answers: the inverse of `bot.dates.parse`."""

import datetime as dt
from zoneinfo import ZoneInfo

import msgspec

from bot.language import words
from ledger.instants import Instant, moment_of

_LATELY_DAYS = 180
"""How long a date is unambiguous without its year."""


def when(moment: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> str:
    """Format `moment` in words by the calendar and clock of `zone`, relative to `now`."""
    try:
        there = moment.astimezone(zone)
    except OverflowError:  # the last hours of the year 9999, east of Greenwich
        there = moment
    days = (now.astimezone(zone).date() - there.date()).days
    time = f"{there:%H:%M}"
    if days == 0:
        return words.TODAY_AT.format(time=time)
    if days == 1:
        return words.YESTERDAY_AT.format(time=time)
    month = words.MONTHS[there.month - 1]
    if abs(days) < _LATELY_DAYS:
        return words.DATE_AT.format(day=there.day, month=month, time=time)
    return words.DATE_YEAR.format(day=there.day, month=month, year=there.year)


def day_of(day: dt.date, today: dt.date, *, by_name: bool = True) -> str:
    """Return a day in words, next to `today` by its name unless `by_name` is false."""
    days = (day - today).days
    if by_name and abs(days) <= 1:
        return (words.YESTERDAY, words.TODAY, words.TOMORROW)[days + 1]
    month = words.MONTHS[day.month - 1]
    if abs(days) < _LATELY_DAYS:
        return words.DATE.format(day=day.day, month=month)
    return words.DATE_YEAR.format(day=day.day, month=month, year=day.year)


def since(days: int) -> str:
    """The whole days since something, as in "3 days ago"."""
    if days == 1:
        return words.DAY_AGO
    return words.TODAY if days == 0 else words.DAYS_AGO.format(days=days)


class Time(msgspec.Struct, frozen=True):
    """The moment that an answer is about, the present, and the reader's zone."""

    now: dt.datetime
    zone: ZoneInfo
    at: dt.datetime | None = None

    @property
    def today(self) -> dt.date:
        """The present day there."""
        return self.now.astimezone(self.zone).date()

    @property
    def day(self) -> dt.date:
        """The day that the answer is about."""
        return (self.at or self.now).astimezone(self.zone).date()

    @property
    def moment(self) -> str:
        """The moment in words: "now", or "as of" another one."""
        return words.NOW if self.at is None else words.AS_OF.format(when=self.said(self.at))

    def said(self, moment: dt.datetime) -> str:
        """Format `moment` relative to the present, such as "today at 12:00"."""
        return when(moment, self.now, self.zone)

    def said_instant(self, instant: int | None) -> str:
        """The same for an instant; None gives the word for "never"."""
        return words.NONE if instant is None else self.said(moment_of(Instant(instant)))
