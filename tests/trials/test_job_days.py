"""Years of ticks in every zone, with downtime and two schedulers: each logical day exactly once."""

import datetime as dt
import random
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]  # it has no types

from bot.dates.job_days import CLEANUP, DECAY, Schedule, due_days
from tests.support.odd_zones import ALL, HOUR, ODD, closed, days_seen, wall
from tests.support.trials.counts import chance, count, tell

pytestmark = pytest.mark.trial

OTHERS = sorted({*ALL} - {*ODD})
OF_THE_OTHERS = min(count(full=60, small=0, more="ZONES"), len(OTHERS))
"""The number of zones that are tried in addition to the odd ones."""
DAYS = 365 * count(full=3, small=1)
STARTS = count(full=5, small=1)
EVERY_START = [dt.datetime(year, 6, 15, tzinfo=dt.UTC) for year in (2011, 1993, 2008, 2023, 1968)]
"""Starts of three years each: days that were skipped or repeated, midnights that did not exist."""

SCHEDULERS = 2
AWAY = 0.02
"""The probability, at each tick, that a scheduler stops for a time."""
LONGEST_AWAY_HOURS = 12 * 24


def ticks(zone: ZoneInfo, start: dt.datetime, dice: random.Random) -> Iterator[dt.datetime]:
    """The moments at which a scheduler asks: at full hours, a little late, and when it starts."""
    moment, end = start, start + dt.timedelta(days=DAYS)
    while moment < end:
        yield moment
        if dice.random() < AWAY:
            moment += dt.timedelta(hours=dice.uniform(0, LONGEST_AWAY_HOURS))
        else:
            past_the_hour = dt.timedelta(minutes=wall(moment, zone).minute, seconds=moment.second)
            moment += HOUR - past_the_hour + dt.timedelta(seconds=dice.randrange(3))
    yield end


def run_of(schedule: Schedule, zone: ZoneInfo, moments: Iterable[dt.datetime]) -> list[dt.date]:
    """The days for which the job ran, in order; all schedulers know the last one."""
    done: list[dt.date] = []
    for moment in moments:
        done += due_days(schedule, done[-1] if done else None, moment, zone)
    return done


def wrong_with(
    done: list[dt.date], schedule: Schedule, zone: ZoneInfo, start: dt.datetime
) -> list[str]:
    """The days that were repeated, omitted or invented, as complaints."""
    end = start + dt.timedelta(days=DAYS)
    seen = days_seen(start - dt.timedelta(days=10), end, zone)
    before = closed(schedule, seen, wall(start, zone))[-1]
    expected = [day for day in closed(schedule, seen, wall(end, zone)) if day >= before]
    out_of_order = [f"{b} after {a}" for a, b in pairwise(done) if b <= a]
    missing = [f"{day} was left out" for day in expected if day not in set(done)]
    extra = [f"{day} was none" for day in done if day not in set(expected)]
    return out_of_order + missing + extra


def complaints(zone: ZoneInfo, start: dt.datetime, moments: list[dt.datetime]) -> Iterator[str]:
    for schedule in (DECAY, CLEANUP):
        for complaint in wrong_with(run_of(schedule, zone, moments), schedule, zone, start):
            yield f"{zone.key}, {schedule.job}: {complaint}"


@pytest.mark.long
@pytest.mark.parametrize("start", EVERY_START[:STARTS], ids=lambda start: str(start.year))
def test_each_logical_day_is_done_once_in_every_zone(start):
    dice, asked = chance(), 0
    found: list[str] = []
    zones = [*ODD, *dice.sample(OTHERS, OF_THE_OTHERS)]
    for zone in map(ZoneInfo, zones):
        each = [ticks(zone, start, dice) for _ in range(SCHEDULERS)]
        moments = list(merge(*each))
        asked += len(moments)
        found += complaints(zone, start, moments)
    tell(f"{len(zones)} zones from {start:%Y} on, asked {asked:,} times")
    assert found == []


# --- planted faults ------------------------------------------------------------------------------


def rung(zone: ZoneInfo, start: dt.datetime) -> list[dt.date]:
    """The days for which an always running trigger at midnight runs the decay."""
    trigger, done = CronTrigger(hour=0, minute=0, timezone=zone), []
    end = start + dt.timedelta(days=DAYS)
    before, now = None, start - dt.timedelta(days=1)
    while now <= end:
        before = trigger.get_next_fire_time(before, now)
        now = before.astimezone(dt.UTC) + dt.timedelta(milliseconds=1)
        done.append(wall(now, zone).date() - dt.timedelta(days=1))
    return done[:-1]


def test_a_trigger_at_midnight_would_do_in_a_zone_without_surprises():
    zone, start = ZoneInfo("Asia/Kathmandu"), EVERY_START[0]
    assert wrong_with(rung(zone, start), DECAY, zone, start) == []


@pytest.mark.parametrize("name", ["America/Santiago", "Asia/Beirut", "America/Havana"])
def test_a_trigger_at_midnight_is_caught(name):
    zone, start = ZoneInfo(name), EVERY_START[0]
    found = wrong_with(rung(zone, start), DECAY, zone, start)
    tell(f"{name}: {found[:3]}")
    assert found != []


Fault = Callable[[list[dt.date]], list[dt.date]]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda done: done[:100] + done[101:], id="left-out"),
        pytest.param(lambda done: done[:100] + done[99:], id="done-again"),
        pytest.param(
            lambda done: sorted([*done, dt.date(2011, 12, 30)]), id="a-day-that-never-was"
        ),
    ],
)
def test_a_wrong_day_is_caught(fault: Fault):
    zone, start, dice = ZoneInfo("Pacific/Apia"), EVERY_START[0], chance()
    done = run_of(DECAY, zone, ticks(zone, start, dice))
    assert wrong_with(done, DECAY, zone, start) == []
    assert wrong_with(fault(done), DECAY, zone, start) != []
