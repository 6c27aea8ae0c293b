"""The chart of a ranking: a bar for each issue, as long as its score."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bot.charts.canvas import (
    BLUE,
    CAPTION,
    INK,
    MARGIN,
    SOFT_INK,
    TRACK,
    WIDTH,
    fit,
    has_glyphs,
    heading,
    page,
    plot,
    typeface,
    width_of,
)
from bot.english.charts import ChartWords

TOP, BOTTOM = 120, 30
LOWEST, HIGHEST = 320, 960
INNER = WIDTH - 2 * MARGIN
GAP = 24
"""The gap between an issue, its bar and its score, in pixels."""

MOST_SIZE = 34


class Slot(NamedTuple):
    """The layout of one issue: type size, vertical centre of its text, and its full bar."""

    height: float
    size: float
    text: float
    left: float
    top: float
    width: float
    thickness: float


def ranking_figure(
    ranked: Sequence[tuple[str, float]], words: ChartWords, titles: Sequence[str] = ()
) -> Figure:
    """Return the page, 320 to 960 pixels high; a full bar is the score 1.

    Issue ids, with their titles, are to the left of their bars, or above them if one is wider than
    a third of the page.
    """
    beside = titles or [""] * len(ranked)
    labels = [
        f"{issue_id}  {title}" if title and has_glyphs(title) else issue_id
        for (issue_id, _), title in zip(ranked, beside, strict=True)
    ]
    slot = _slot(labels)
    height = max(LOWEST, round(TOP + BOTTOM + slot.height * len(ranked)))
    figure = page(height)
    heading(figure, words.ranking_title)
    axes = plot(figure, MARGIN, TOP, MARGIN, BOTTOM)
    axes.set_xlim(0, INNER)
    axes.set_ylim(height - TOP - BOTTOM, 0)
    axes.set_axis_off()
    for place, (label, (_, score)) in enumerate(zip(labels, ranked, strict=True)):
        _draw(axes, place * slot.height, slot, label, score)
    if not ranked:
        axes.text(0, 24, words.nothing_ranked, color=SOFT_INK, va="center", **typeface(CAPTION))
    return figure


def _slot(labels: Sequence[str]) -> Slot:
    room = (HIGHEST - TOP - BOTTOM) / max(1, len(labels))
    height = min(room, 76)
    size = min(MOST_SIZE, height * 0.62)
    longest = max((width_of(label, size) for label in labels), default=0)
    if longest > INNER / 3:
        height = min(room, 104)
        size = min(MOST_SIZE, height * 0.48)
        return Slot(height, size, height * 0.3, 0, height * 0.64, INNER, height * 0.2)
    left = longest + GAP
    width = INNER - left - GAP - width_of("0.000", size, bold=True)
    return Slot(height, size, height * 0.5, left, height * 0.2, width, height * 0.6)


def _draw(axes: Axes, top: float, slot: Slot, label: str, score: float) -> None:
    place: dict[str, Any] = {"color": INK, "va": "center_baseline"}
    style = typeface(slot.size, bold=True)
    number = axes.text(INNER, top + slot.text, f"{score:.3f}", ha="right", **place, **style)
    left = axes.text(0, top + slot.text, label, **place, **typeface(slot.size))
    fit(left, INNER - GAP - number.get_window_extent().width)
    for width, colour in ((slot.width, TRACK), (slot.width * score, BLUE)):
        corner = (slot.left, top + slot.top)
        axes.add_patch(Rectangle(corner, width, slot.thickness, facecolor=colour))
