"""The figures of a report: its charts as SVG paths, and the tables beneath them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from ledger.commands import Kind
from ledger.events import EventRow
from ledger.instants import Instant, moment_of
from projections.audit import Tally, Week
from projections.timeline import ScoreSeries

# Charts, each with its own coordinates from the top left; the page scales them.

WIDTH, HEIGHT = 720, 120


class Stack(NamedTuple):
    """A stacked bar chart: an outline for each kind, and the value at the top of the axis."""

    outlines: list[str]
    most: int


class Line(NamedTuple):
    """A score over time: a stepped line, empty without an interaction; its end; and marks.

    Marks are the distinct positions of interactions and of overrides on the time axis.
    """

    line: str
    end: tuple[int, float] | None
    interactions: list[float]
    overrides: list[float]


def stacked(tallies: Sequence[Tally]) -> Stack:
    """Draw bars over the whole width, stacked with the highest kind at the bottom."""
    most = max((tally.total for tally in tallies), default=0)
    if not most:
        return Stack(["" for _ in Kind], 0)
    slot = WIDTH / len(tallies)
    thickness = slot * (0.8 if slot > 4 else 1)  # noqa: PLR2004 - thinner gaps only blur
    outlines = ["" for _ in Kind]
    for place, tally in enumerate(tallies):
        left, base = place * slot + (slot - thickness) / 2, HEIGHT * 1.0
        for kind in reversed(Kind):
            height = HEIGHT * tally.counts[kind - 1] / most
            if height:
                base -= height
                outlines[kind - 1] += (
                    f"M{left:.2f} {base:.2f}h{thickness:.2f}v{height:.2f}h-{thickness:.2f}z"
                )
    return Stack(outlines, most)


def score_line(series: ScoreSeries) -> Line:
    """Draw the score over the whole width, with 1 at the top.

    Changes closer together than a unit are drawn as one stroke from the lowest to the highest.
    """
    length = max(1, series.end - series.start)

    def across(at: int) -> float:
        return round(WIDTH * (at - series.start) / length, 1)

    known = [
        (round(across(at)), round(HEIGHT * (1 - score.value), 1))
        for at, score in series.points
        if score is not None
    ]
    return Line(
        _steps(known),
        known[-1] if known else None,
        sorted({across(at) for at, _ in series.interactions}),
        sorted({across(at) for at in series.overrides}),
    )


def _steps(points: Iterable[tuple[int, float]]) -> str:
    path, current = "", None
    for x, column in groupby(points, key=_first):
        ys = [y for _, y in column]
        path += f"H{x}" if path else f"M{x} {ys[0]:g}"
        for y in (ys[0], min(ys), max(ys), ys[-1]):
            if y != current:
                path += f"V{y:g}"
                current = y
    return path


def _first(point: tuple[int, float]) -> int:
    return point[0]


# The tables, which hold the numbers behind the charts.


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
        sums[monday.year] = sums[monday.year].plus(tally)
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
