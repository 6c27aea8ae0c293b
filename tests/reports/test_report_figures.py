"""Charts of a report: bars are as high as what they count, lines are where the score is."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bot.answers.report_figures import HEIGHT, WIDTH, score_line, stacked
from ledger.commands import Kind
from ledger.instants import Instant
from projections.audit import Tally
from projections.timeline import score_series
from tests.support import strategies

tallies = st.tuples(*[st.integers(0, 50)] * len(Kind)).map(Tally)
BAR = re.compile(r"M([\d.]+) (-?[\d.]+)h[\d.]+v([\d.]+)h")


@given(st.lists(tallies, min_size=1, max_size=60))
def test_bars_are_as_high_as_their_counts_and_stay_on_the_chart(counts):
    bars = stacked(counts)
    assert bars.most == max(tally.total for tally in counts)
    for number, outline in enumerate(bars.outlines):
        drawn = [tuple(map(float, each)) for each in BAR.findall(outline)]
        expected = [tally.counts[number] for tally in counts if tally.counts[number]]
        assert len(drawn) == len(expected)
        for (left, top, height), count in zip(drawn, expected, strict=True):
            assert abs(height - HEIGHT * count / bars.most) < 0.01
            assert 0 <= left <= WIDTH
            assert -0.1 <= top <= HEIGHT


@given(st.lists(tallies, min_size=1, max_size=60))
def test_bars_of_a_place_stand_on_each_other(counts):
    bars = stacked(counts)
    tops: dict[int, float] = {}
    for left, top, _ in BAR.findall("".join(bars.outlines)):
        place = int(float(left) / WIDTH * len(counts) + 0.01)
        tops[place] = min(float(top), tops.get(place, HEIGHT))
    for place, tally in enumerate(counts):
        if tally.total:
            assert abs(tops[place] - HEIGHT * (1 - tally.total / bars.most)) < 0.02


@given(strategies.event_rows(streams=1), st.integers(1, 400))
def test_a_line_is_within_the_chart_goes_right_and_ends_at_the_last_score(rows, days):
    end = Instant(strategies.NOON + days * 86_400_000_000)
    series = score_series("AI-1", rows, strategies.NOON, end)
    line = score_line(series).line
    values = [score.value for _, score in series.points if score is not None]
    assert bool(line) == bool(values)
    across = [int(x) for x in re.findall(r"[MH](\d+)", line)]
    assert all(a < b for a, b in pairwise(across))
    down = [float(y) for y in re.findall(r"(?: |V)([\d.]+)", line)]
    assert all(0 <= y <= HEIGHT for y in down)
    assert not values or abs(down[-1] - HEIGHT * (1 - values[-1])) < 0.1
