"""The parts of a picture that tests look at: its texts, their places, and the PNG's header."""

import struct
import zlib
from itertools import combinations, pairwise

import numpy as np
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SIGNATURE = b"\x89PNG\r\n\x1a\n"

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
HOSTILE = ("$", "$$", "\\", "\\FRAC{A}{B}", "_", "^", "{", "}", "%", "&", "#", "W", "AI-1", " ")

hostile_issue_ids = (
    st.lists(st.sampled_from(HOSTILE) | st.sampled_from(PRINTABLE), min_size=1, max_size=50).map(
        lambda parts: "".join(parts).strip().upper()[:50].strip() or "$"
    )
) | st.sampled_from(["W" * 50, "$" * 50, "\\" * 50, "$X_{1}$", "$\\BOGUS$", "I"])
"""Issue ids by the rules of R1 that look like formulas, or are as wide as can be."""


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, every chunk of which is checked."""
    assert png.startswith(SIGNATURE)
    chunks, at = [], len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        name, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert zlib.crc32(name + data) == struct.unpack_from(">I", png, at + 8 + length)[0]
        chunks.append((name, data))
        at += length + 12
    names = [name for name, _ in chunks]
    assert (names[0], names[-1], at) == (b"IHDR", b"IEND", len(png))
    assert b"tEXt" not in names
    width, height = struct.unpack_from(">II", chunks[0][1])
    return width, height


def texts(figure: Figure) -> dict[Text, Bbox]:
    """The texts that can be seen, and the pixels that they take."""
    figure.draw_without_rendering()
    found = [*figure.texts]
    for axes in figure.axes:
        found += axes.texts
        if axes.axison:
            found += [*axes.get_xticklabels(), *axes.get_yticklabels()]
    return {text: text.get_window_extent() for text in found if text.get_text().strip()}


def complaints(figure: Figure) -> list[str]:
    """The faults of a picture's texts: outside of it, overlapping, or a formula."""
    placed = texts(figure)
    page = figure.bbox
    wrong = [
        f"{text.get_text()!r} leaves the page"
        for text, box in placed.items()
        if not (box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.x1 and box.y1 <= page.y1)
    ]
    wrong += [
        f"{a.get_text()!r} and {b.get_text()!r} overlap"
        for (a, one), (b, other) in combinations(placed.items(), 2)
        if Bbox.intersection(one, other) is not None and one.overlaps(other)
    ]
    wrong += [f"{text.get_text()!r} may be a formula" for text in placed if text.get_parse_math()]
    return wrong


def rectangles(axes: Axes) -> list[Rectangle]:
    """The bars and spans, as they were drawn."""
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def segments(axes: Axes) -> list[tuple[int, float, float]]:
    """The marks: where each stands, and from where to where it goes."""
    drawn = [each for each in axes.collections if isinstance(each, LineCollection)]
    return [
        (int(x), low, high)
        for each in drawn
        for (x, low), (_, high) in map(list, each.get_segments())
    ]


def points(line: Line2D) -> list[tuple[float, float]]:
    """The points of a line."""
    xs, ys = (np.asarray(values).tolist() for values in line.get_data())
    return list(zip(xs, ys, strict=True))


def ascends(values: list[float]) -> bool:
    """Whether each value is greater than the one before."""
    return all(a < b for a, b in pairwise(values))
