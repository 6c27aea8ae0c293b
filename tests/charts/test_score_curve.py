"""The chart of a score: its line is the score, its axes are honest, its texts can be read."""

from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.charts.score_curve import score_figure
from ledger.commands import Kind
from ledger.events import EventRow
from ledger.instants import DAY, Instant
from projections.timeline import ScoreSeries, score_series
from tests.support import strategies
from tests.support.chart_pictures import (
    complaints,
    hostile_issue_ids,
    points,
    rectangles,
    segments,
    texts,
)
from tests.support.chart_words import WORDS
from tests.support.event_rows import event_row

NOW = strategies.NOON
UTC = ZoneInfo("UTC")
FEW = settings(max_examples=20)
"""A picture takes a quarter of a second."""

zones = st.sampled_from(["UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia"]).map(ZoneInfo)
lengths = st.sampled_from([0, 1, DAY // 24, DAY, 7 * DAY, 90 * DAY, 365 * DAY, 1826 * DAY])


def touched(days: float, kind: Kind | None = Kind.QUERY, score: float | None = None) -> EventRow:
    """An event of AI-1, so many days after noon; an override where there is no kind."""
    at = NOW + int(days * DAY)
    return event_row(1, 1, "AI-1", kind and int(kind), at, None, score, at)


def series_of(rows: list[EventRow], days: float) -> ScoreSeries:
    """The series of AI-1 from noon on."""
    return score_series("AI-1", rows, NOW, Instant(NOW + int(days * DAY)))


def said(figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


QUARTER = [
    touched(0),
    touched(3, Kind.VIEW),
    touched(8, None, 0.9),
    touched(14, Kind.MENTION),
    touched(20, None, 0.0),
    touched(75),
]


# --- the picture as a whole ----------------------------------------------------------------------


@FEW
@given(strategies.histories(), hostile_issue_ids, lengths, zones)
@example([], "W" * 50, 0, UTC)
@example(QUARTER, "$\\FRAC{A}{B}$", 120 * DAY, UTC)
def test_texts_stay_on_the_page_apart_from_each_other_and_are_no_formulas(
    history, issue_id, length, zone
):
    rows = [row._replace(issue_id=issue_id) for row in history]
    start = Instant(min((row.occurred_at for row in rows), default=NOW))
    series = score_series(issue_id, rows, start, Instant(start + length))
    figure = score_figure(series, zone, WORDS)
    assert complaints(figure) == []
    assert issue_id in said(figure)


@FEW
@given(strategies.histories(), lengths)
def test_the_line_is_the_series_and_the_axes_are_honest(history, length):
    series = series_of(history, length / DAY)
    scores, marks = score_figure(series, UTC, WORDS).axes
    assert scores.get_ylim() == (0, 1)
    assert scores.get_xlim() == marks.get_xlim()
    low, high = scores.get_xlim()
    assert low <= series.start <= series.end <= high
    drawn = [points(line) for line in scores.lines if line.get_drawstyle() == "steps-post"]
    known = [(at, score.value) for at, score in series.points if score is not None]
    assert drawn == ([known] if known else [])


def test_one_moment_has_room_around_it():
    figure = score_figure(series_of([touched(0)], 0), UTC, WORDS)
    low, high = figure.axes[0].get_xlim()
    assert high - low >= DAY // 24
    assert low < NOW < high
    assert "0.680" in said(figure)


def test_without_interactions_it_says_so():
    figure = score_figure(series_of([], 30), UTC, WORDS)
    assert WORDS.no_interactions in said(figure)
    assert [len(axes.lines) + len(axes.collections) for axes in figure.axes] == [0, 0]


def test_three_thousand_interactions_are_all_there():
    kinds = list(Kind)
    rows = [touched(n / 5, kinds[n % 3]) for n in range(3000)]
    figure = score_figure(series_of(rows, 700), UTC, WORDS)
    assert complaints(figure) == []
    assert said(figure).count("1,000") == 3
    assert len(segments(figure.axes[1])) == 3000


def test_a_score_of_zero_is_drawn_on_the_axis():
    figure = score_figure(series_of([touched(0)], 400), UTC, WORDS)
    assert "0.000" in said(figure)
    assert complaints(figure) == []


# --- what moved the score ------------------------------------------------------------------------


def test_each_kind_has_a_row_and_what_is_absent_has_none():
    figure = score_figure(series_of(QUARTER, 120), UTC, WORDS)
    rows = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert rows == ["query", "view", "mention", "override", "decay"]
    few = score_figure(series_of([touched(0, Kind.VIEW)], 3), UTC, WORDS)
    assert [label.get_text() for label in few.axes[1].get_yticklabels()] == ["view"]


@FEW
@given(strategies.histories(min_interactions=1))
def test_each_event_is_marked_at_its_instant_in_the_row_of_its_kind(history):
    start, end = min(r.occurred_at for r in history), max(r.occurred_at for r in history)
    marks = score_figure(
        score_series("AI-1", history, Instant(start), Instant(end)), UTC, WORDS
    ).axes[1]
    names = [label.get_text() for label in marks.get_yticklabels()]
    drawn = [(at, names[round((low + high) / 2)]) for at, low, high in segments(marks)]
    labels = [(r.occurred_at, Kind(r.kind).label if r.kind else "override") for r in history]
    labels += [(r.occurred_at, "late") for r in history if r.kind and r.is_late]
    assert sorted(drawn) == sorted(labels)


def test_overrides_stand_out_on_the_line():
    scores = score_figure(series_of(QUARTER, 120), UTC, WORDS).axes[0]
    diamonds = [points(line) for line in scores.lines if line.get_marker() == "D"]
    assert diamonds == [[(NOW + 8 * DAY, 0.9)], [(NOW + 20 * DAY, 0.0)]]


@pytest.mark.parametrize(
    ("days", "spans"), [(30, []), (31, []), (40, [(31, 40)]), (90, [(31, 50), (81, 90)])]
)
def test_days_under_decay_are_marked(days, spans):
    rows = [touched(0), *([touched(50)] if days > 50 else [])]
    scores, marks = score_figure(series_of(rows, days), UTC, WORDS).axes
    expected = [(NOW + a * DAY, NOW + b * DAY) for a, b in spans]
    for axes in (scores, marks):
        drawn = [(each.get_x(), each.get_x() + each.get_width()) for each in rectangles(axes)]
        assert drawn == expected


def test_marks_lie_within_their_rows():
    marks = score_figure(series_of(QUARTER, 120), UTC, WORDS).axes[1]
    bottom, top = marks.get_ylim()
    assert top < min(low for _, low, _ in segments(marks))
    assert max(high for *_, high in segments(marks)) < bottom
    boxes = [label.get_window_extent() for label in marks.get_yticklabels()]
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))
