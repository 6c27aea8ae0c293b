"""The tables of a report, which hold the numbers behind its charts."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from ledger.events import EventRow
from ledger.instants import Instant, moment_of
from projections.audit import Tally, Week


class Year(NamedTuple):
    """Interactions of the weeks whose Monday is in a year."""

    year: int
    tally: Tally


class LateDay(msgspec.Struct, frozen=True, order=True):
    """The late interactions that were recorded on one day, with the span in which they occurred."""

    recorded_on: str
    count: int
    first_at: Instant
    last_at: Instant


def years_of(weeks: Iterable[Week]) -> list[Year]:
    """Group `weeks` by year, the earliest first."""
    sums: dict[int, Tally] = defaultdict(Tally)
    for monday, tally in weeks:
        sums[monday.year] = Tally(*map(sum, zip(sums[monday.year], tally, strict=True)))
    return [Year(*each) for each in sums.items()]


def late_days(late: Sequence[EventRow], zone: ZoneInfo) -> list[LateDay]:
    """Group `late` by the date of recording in `zone`, the latest first."""
    days: dict[str, list[int]] = defaultdict(list)
    for row in late:
        recorded = moment_of(Instant(row.recorded_at)).astimezone(zone)
        days[recorded.date().isoformat()].append(row.occurred_at)
    found = [
        LateDay(day, len(each), Instant(min(each)), Instant(max(each)))
        for day, each in days.items()
    ]
    return sorted(found, reverse=True)
