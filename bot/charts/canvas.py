"""The canvas that charts are drawn on: its page, its type, its colours, and dates along an axis."""

import datetime as dt
from collections.abc import Iterator
from io import BytesIO
from itertools import count, takewhile
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from matplotlib import get_data_path
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font
from matplotlib.text import Text

from bot.english.charts import ChartWords
from ledger.instants import DAY, Instant, instant_of, moment_of

# Pages are 1280 pixels wide, which a phone shows at about a third of the size. The fonts come with
# matplotlib, so a chart looks the same on every machine.

WIDTH = 1280
MARGIN = 40

TITLE, CAPTION, LABEL, VALUE = 52, 30, 28, 38

INK, SOFT_INK, GRID, PAPER = "#1b1f24", "#57606a", "#d8dee4", "#ffffff"
BLUE, TEAL, VIOLET, RED, AMBER = "#1f5fbf", "#00796b", "#7b3fb3", "#b3261e", "#b35900"
TRACK = "#e9edf1"
KIND_COLOURS = (VIOLET, TEAL, BLUE)
"""By rank, and again from the first one."""

_DOTS_PER_INCH = 72  # makes matplotlib's points equal to pixels
_FONTS = Path(get_data_path(), "fonts", "ttf")
_REGULAR = FontProperties(fname=_FONTS / "DejaVuSans.ttf")
_BOLD = FontProperties(fname=_FONTS / "DejaVuSans-Bold.ttf")


def page(height: int) -> Figure:
    """Return a blank page of 1280 by `height` pixels."""
    figure = Figure((WIDTH / _DOTS_PER_INCH, height / _DOTS_PER_INCH), _DOTS_PER_INCH)
    figure.set_facecolor(PAPER)
    FigureCanvasAgg(figure)
    return figure


def plot(figure: Figure, left: float, top: float, right: float, bottom: float) -> Axes:
    """Return axes on `figure` between these margins, without a frame or ticks."""
    height = figure.bbox.height
    box = (left / WIDTH, bottom / height, (WIDTH - left - right) / WIDTH)
    axes = figure.add_axes((*box, (height - top - bottom) / height))
    axes.set_frame_on(False)
    axes.tick_params(length=0, pad=10, labelcolor=SOFT_INK)
    return axes


def heading(figure: Figure, title: str, caption: str = "") -> None:
    """Write a title, and a caption under it, at the top left of a page."""
    height = figure.bbox.height
    for text, size, bold, down in ((title, TITLE, True, 58), (caption, CAPTION, False, 110)):
        fonts = typeface(size, bold=bold)
        placed = figure.text(MARGIN / WIDTH, 1 - down / height, text, va="center", **fonts)
        placed.set_color(INK if bold else SOFT_INK)
        fit(placed, WIDTH - 2 * MARGIN)


def typeface(size: float, *, bold: bool = False) -> dict[str, Any]:
    """Keyword arguments for text of this size, with matplotlib's formula syntax disabled."""
    font = (_BOLD if bold else _REGULAR).copy()
    font.set_size(size)
    return {"fontproperties": font, "parse_math": False}


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Return how many pixels wide `text` is in one line of this size."""
    placed = page(1).text(0, 0, text, **typeface(size, bold=bold))
    return float(placed.get_window_extent().width)


def has_glyphs(text: str) -> bool:
    """Whether the font of charts has all characters of `text`."""
    glyphs = get_font(_FONTS / "DejaVuSans.ttf").get_charmap()
    return all(ord(each) in glyphs for each in text)


def fit(text: Text, width: float) -> None:
    """Make `text` smaller until it is no wider than `width` pixels."""
    size = float(text.get_fontsize())
    while (taken := text.get_window_extent().width) > width:
        size = min(size - 0.5, size * width / taken)
        text.set_fontsize(size)


def png(figure: Figure) -> bytes:
    """Return the page as a PNG without metadata about the software."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


# Ticks and labels of time axes.
#
# Ticks fall on round wall-clock times of a zone, also across changes of its UTC offset.

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
