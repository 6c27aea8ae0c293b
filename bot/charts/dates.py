"""Ticks and labels of time axes.

Ticks fall on round wall-clock times of a zone, also across changes of its UTC offset.
"""

import datetime as dt
from collections.abc import Iterator
from itertools import count, takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.chart_words import ChartWords
from ledger.instants import DAY, Instant, instant_of, moment_of

MOST_TICKS = 7
"""The number of labels that fit side by side on a phone."""

_MINUTE = DAY // 1440
_DAYS_OF_MONTH, _DAYS_OF_YEAR = 30, 365


class Step(NamedTuple):
    """A round distance between ticks: `number` of `unit`, about `length` microseconds."""

    unit: str
    number: int
    length: int


STEPS = (
    *(Step("minute", n, n * _MINUTE) for n in (5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *(Step("day", n, n * DAY) for n in (1, 2, 7, 14)),
    *(Step("month", n, n * _DAYS_OF_MONTH * DAY) for n in (1, 2, 3, 6)),
    *(Step("year", n, n * _DAYS_OF_YEAR * DAY) for n in (1, 2, 5, 10, 20, 50)),
)


class Tick(NamedTuple):
    """An instant and its label of two lines, of which the second may be empty."""

    at: Instant
    label: str


def ticks(start: Instant, end: Instant, zone: ZoneInfo, words: ChartWords) -> list[Tick]:
    """Return at most MOST_TICKS ticks from `start` to `end`, ascending and labelled in two lines.

    The second line is the day below times, or the year below days and months, where it changes.
    """
    for step in STEPS:
        if (end - start) // step.length < MOST_TICKS + 2:
            moments = _moments(start, end, zone, step)
            if len(moments) <= MOST_TICKS:
                return list(_labelled(moments, step, words))
    return []


def date(at: Instant, zone: ZoneInfo, words: ChartWords) -> str:
    """Return the day of `at` in `zone`, with its year."""
    return _written(words.date, moment_of(at).astimezone(zone), words)


def _moments(start: Instant, end: Instant, zone: ZoneInfo, step: Step) -> list[dt.datetime]:
    """The round wall-clock times of the span as instants; a skipped time is the instant of the
    skip.
    """
    walls = _walls(moment_of(start).astimezone(zone).replace(tzinfo=None), step)
    instants = (instant_of(wall.replace(tzinfo=zone)) for wall in walls)
    # A clock that goes back shows an hour twice, so a later wall time may be an earlier instant.
    within = takewhile(lambda at: at <= end + DAY, instants)
    return [moment_of(at).astimezone(zone) for at in sorted(set(within)) if start <= at <= end]


def _walls(first: dt.datetime, step: Step) -> Iterator[dt.datetime]:
    """Round times of the wall clock, from the one before `first` on."""
    midnight = dt.datetime.combine(first.date(), dt.time.min)
    if step.unit == "minute":
        return (midnight + dt.timedelta(minutes=n) for n in count(0, step.number))
    if step.unit == "day":
        # Ordinal 1 is a Monday, and so are the ticks of weeks.
        monday = midnight - dt.timedelta(days=(midnight.toordinal() - 1) % step.number)
        return (monday + dt.timedelta(days=n) for n in count(0, step.number))
    if step.unit == "month":
        january = first.year * 12
        return (
            dt.datetime(n // 12, n % 12 + 1, 1)  # noqa: DTZ001 - the caller adds the zone
            for n in count(january, step.number)
        )
    round_year = max(1, first.year - first.year % step.number)
    return (dt.datetime(n, 1, 1) for n in count(round_year, step.number))  # noqa: DTZ001


def _labelled(moments: list[dt.datetime], step: Step, words: ChartWords) -> Iterator[Tick]:
    above = ""
    for moment in moments:
        upper, lower = _label(moment, step, words)
        # Always two lines, so that the upper ones stand at the same height.
        yield Tick(instant_of(moment), f"{upper}\n{lower if lower != above else ''}")
        above = lower


def _label(moment: dt.datetime, step: Step, words: ChartWords) -> tuple[str, str]:
    year = str(moment.year)
    if step.unit == "minute":
        return f"{moment:%H:%M}", _written(words.day, moment, words)
    if step.unit == "day":
        return _written(words.day, moment, words), year
    if step.unit == "month":
        return words.months[moment.month - 1], year
    return year, ""


def _written(template: str, moment: dt.datetime, words: ChartWords) -> str:
    month = words.months[moment.month - 1]
    return template.format(day=moment.day, month=month, year=moment.year)
