"""The chart of a score over time: the score as a line, and the events that moved it beneath.

There is a row for each kind of interaction, for late events, for overrides and for spans under
daily decay; empty rows are left out.
"""

import math
from itertools import groupby, pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bot.charts.canvas import (
    AMBER,
    BLUE,
    CAPTION,
    GRID,
    INK,
    KIND_COLOURS,
    LABEL,
    PAPER,
    RED,
    SOFT_INK,
    VALUE,
    date,
    fit,
    heading,
    page,
    plot,
    ticks,
    typeface,
)
from bot.english.charts import ChartWords
from ledger.commands import Kind
from ledger.instants import DAY, Instant
from projections.scoring import Score
from projections.timeline import ScoreSeries

HEIGHT = 860
LEFT, RIGHT, TOP, BOTTOM = 230, 150, 170, 110
ROW = 44
SHORTEST = DAY // 24
"""The shortest span that is drawn: a single moment gets an hour around it."""

BREATH = 0.015
"""The margin at either end, as a share of the span."""

MANY = 150
"""The number of marks in a row above which they are drawn thinner."""

LINES = ((60, 5), (200, 3), (math.inf, 2))
"""Pairs of a number of events and the line width up to it; thin lines keep many jumps apart."""


class Span(NamedTuple):
    """A time span; both ends are instants."""

    start: Instant
    end: Instant


class Row(NamedTuple):
    """A row beneath the score: marks at instants, or bars over spans."""

    name: str
    colour: str
    marks: list[Instant]
    bars: list[Span]


def score_figure(series: ScoreSeries, zone: ZoneInfo, words: ChartWords) -> Figure:
    """Draw the page; the score's axis is 0 to 1, and the line is exact at every moment."""
    figure = page(HEIGHT)
    heading(figure, series.issue_id, _caption(series, zone, words))
    rows, view = _rows(series, words), _view(series)
    rows_top = HEIGHT - BOTTOM - ROW * len(rows)
    scores = plot(figure, LEFT, TOP, RIGHT, HEIGHT - rows_top + 24)
    marks = plot(figure, LEFT, rows_top, RIGHT, BOTTOM)
    _lay_out_scores(scores)
    _lay_out_rows(marks, rows)
    for axes in (scores, marks):
        _lay_out_time(axes, view, zone, words, labelled=axes is marks)
    _draw_scores(scores, series, words)
    _draw_rows(marks, rows)
    return figure


def _caption(series: ScoreSeries, zone: ZoneInfo, words: ChartWords) -> str:
    start, end = (date(at, zone, words) for at in (series.start, series.end))
    template = words.score_caption_of_day if start == end else words.score_caption
    return template.format(start=start, end=end, zone=zone.key)


def _view(series: ScoreSeries) -> Span:
    missing = max(0, SHORTEST - (series.end - series.start)) // 2
    start, end = series.start - missing, series.end + missing
    breath = int((end - start) * BREATH)
    return Span(Instant(start - breath), Instant(end + breath))


def _rows(series: ScoreSeries, words: ChartWords) -> list[Row]:
    rows = [_row_of(kind, series, words) for kind in reversed(Kind)]
    rows.append(Row(words.late, SOFT_INK, series.late, []))
    rows.append(Row(words.override, RED, series.overrides, []))
    rows.append(Row(words.decay, AMBER, [], _decaying(series)))
    return [row for row in rows if row.marks or row.bars]


def _row_of(kind: Kind, series: ScoreSeries, words: ChartWords) -> Row:
    colour = KIND_COLOURS[(kind - 1) % len(KIND_COLOURS)]
    instants = [at for at, of in series.interactions if of is kind]
    return Row(words.kinds[kind.label], colour, instants, [])


def _decaying(series: ScoreSeries) -> list[Span]:
    """The spans in which decay keeps the score below its base."""
    steps = [
        (Span(at, following), score is not None and score.decay is not None and score.decay < 1)
        for (at, score), (following, _) in pairwise(series.points)
    ]
    runs = [[span for span, _ in run] for decays, run in groupby(steps, _second) if decays]
    return [Span(run[0].start, run[-1].end) for run in runs]


def _second(step: tuple[Span, bool]) -> bool:
    return step[1]


def _lay_out_scores(axes: Axes) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.grid(axis="y", color=GRID, linewidth=2)
    _dress(axes)


def _lay_out_rows(axes: Axes, rows: list[Row]) -> None:
    axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    _dress(axes)


def _lay_out_time(
    axes: Axes, view: Span, zone: ZoneInfo, words: ChartWords, *, labelled: bool
) -> None:
    axes.set_xlim(view)
    marked = ticks(*view, zone, words)
    axes.set_xticks(
        [tick.at for tick in marked], [tick.label if labelled else "" for tick in marked]
    )
    axes.grid(axis="x", color=GRID, linewidth=2)
    axes.set_axisbelow(True)
    _dress(axes)


def _dress(axes: Axes) -> None:
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set(**typeface(LABEL), color=SOFT_INK)
    for label in axes.get_yticklabels():
        fit(label, LEFT - 40)


def _draw_scores(axes: Axes, series: ScoreSeries, words: ChartWords) -> None:
    known = [(at, score.value) for at, score in series.points if score is not None]
    if not known:
        _draw_absence(axes, words.no_interactions)
        return
    instants, values = zip(*known, strict=True)
    axes.fill_between(instants, values, step="post", color=BLUE, alpha=0.12, linewidth=0)
    events = len(series.interactions) + len(series.overrides)
    width = next(width for most, width in LINES if events <= most)
    axes.plot(instants, values, drawstyle="steps-post", color=BLUE, linewidth=width, clip_on=False)
    _draw_decay(axes, series)
    _draw_overrides(axes, series)
    _draw_end(axes, *known[-1])


def _draw_absence(axes: Axes, text: str) -> None:
    placed = axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center")
    placed.set(**typeface(CAPTION), color=INK, backgroundcolor=PAPER)


def _draw_decay(axes: Axes, series: ScoreSeries) -> None:
    for span in _decaying(series):
        axes.axvspan(*span, color=AMBER, alpha=0.12, linewidth=0, zorder=0)


def _draw_overrides(axes: Axes, series: ScoreSeries) -> None:
    scores: dict[Instant, Score | None] = dict(series.points)
    known = [(at, score.value) for at in series.overrides if (score := scores[at]) is not None]
    for at, value in known:
        axes.plot([at], [value], "D", color=RED, markersize=18, mec=PAPER, mew=3, clip_on=False)


def _draw_end(axes: Axes, at: Instant, value: float) -> None:
    axes.plot([at], [value], "o", color=BLUE, markersize=18, mec=PAPER, mew=3, clip_on=False)
    text = axes.annotate(
        f"{value:.3f}", (at, value), (22, 0), "data", "offset pixels", annotation_clip=False
    )
    text.set(**typeface(VALUE, bold=True), color=INK, va="center_baseline")


def _draw_rows(axes: Axes, rows: list[Row]) -> None:
    for place, row in enumerate(rows):
        if row.marks:
            _draw_marks(axes, place, row)
        for bar in row.bars:
            axes.barh(place, bar.end - bar.start, 0.44, bar.start, color=row.colour)


def _draw_marks(axes: Axes, place: int, row: Row) -> None:
    width, alpha = (2, 0.5) if len(row.marks) > MANY else (5, 1)
    low, high = place - 0.36, place + 0.36
    axes.vlines(row.marks, low, high, color=row.colour, linewidth=width, alpha=alpha)
    corner = (1, place)
    text = axes.annotate(
        f"{len(row.marks):,}", corner, (8, 0), ("axes fraction", "data"), "offset pixels"
    )
    text.set(**typeface(LABEL), color=SOFT_INK, va="center_baseline")
