"""Zones whose clocks did odd things, and their days as a walk through real hours finds them."""

import datetime as dt
import zoneinfo
from collections.abc import Iterable

from bot.dates.job_days import CLEANUP, Schedule

HOUR = dt.timedelta(hours=1)

ODD = (
    "Africa/Cairo",  # no midnight in 2010 and 2023
    "Africa/Casablanca",  # four changes a year around Ramadan
    "America/Asuncion",  # no midnight in spring, two before midnight in autumn
    "America/Havana",  # the hour from midnight comes twice
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",  # changed a minute after midnight, back over the end of the day
    "Antarctica/Troll",  # two hours at once
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",  # half an hour
    "Europe/Berlin",
    "Pacific/Apia",  # no 30 December 2011
    "Pacific/Chatham",
    "Pacific/Fakaofo",  # no 30 December 2011
    "Pacific/Kiritimati",  # no 31 December 1994
    "Pacific/Kwajalein",  # no 21 August 1993; most of 1 October 1969 came twice
    "UTC",
)
ALL = tuple(sorted(zoneinfo.available_timezones()))


def wall(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """The wall-clock time in the zone."""
    return moment.astimezone(zone).replace(tzinfo=None)


def days_seen(start: dt.datetime, end: dt.datetime, zone: dt.tzinfo) -> list[dt.date]:
    """The days that the clocks show on a walk from hour to hour, each once, in their order."""
    seen, moment = {wall(end, zone).date()}, start
    while moment <= end:
        seen.add(wall(moment, zone).date())
        moment += HOUR
    return sorted(seen)


def closed(schedule: Schedule, days: Iterable[dt.date], now: dt.datetime) -> list[dt.date]:
    """Those of the days that the schedule wants done when the clocks show `now`."""
    if schedule is CLEANUP:
        sundays = (day for day in days if day.strftime("%A") == "Sunday")
        return [day for day in sundays if now >= dt.datetime.combine(day, dt.time(2))]
    return [day for day in days if day < now.date()]
