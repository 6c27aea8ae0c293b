"""The canvas of charts: pages measured in pixels, fonts and colours.

Pages are 1280 pixels wide, which a phone shows at about a third of the size. The fonts come with
matplotlib, so a chart looks the same on every machine.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib import get_data_path
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

WIDTH = 1280
MARGIN = 40

TITLE, CAPTION, LABEL, VALUE = 52, 30, 28, 38

INK, SOFT_INK, GRID, PAPER = "#1b1f24", "#57606a", "#d8dee4", "#ffffff"
BLUE, TEAL, VIOLET, RED, AMBER = "#1f5fbf", "#00796b", "#7b3fb3", "#b3261e", "#b35900"
TRACK = "#e9edf1"

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
