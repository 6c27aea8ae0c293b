"""The chart of a ranking: bars in order, as long as their scores, and texts that can be read."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from bot.answers.plain_text import cut
from bot.charts.canvas import BLUE, TRACK
from bot.charts.ranking_bars import HIGHEST, LOWEST, ranking_figure
from ledger.validation import display_name_of
from tests.support import strategies
from tests.support.chart_pictures import ascends, complaints, hostile_issue_ids, rectangles, texts
from tests.support.chart_words import WORDS

display_names = strategies.hostile_texts.map(lambda text: cut(display_name_of(text) or "", 60))
rankings = st.lists(st.tuples(hostile_issue_ids, strategies.scores), max_size=20)
FULL = [(f"AI-{n}", n / 20) for n in range(20, 0, -1)]


def bars(figure: Figure, colour: str = BLUE) -> list[tuple[float, float, float]]:
    """Left, width and top of the bars of one colour, as they were drawn."""
    wanted = [p for p in rectangles(figure.axes[0]) if p.get_facecolor() == _rgba(colour)]
    return [(p.get_x(), p.get_width(), p.get_y()) for p in wanted]


def _rgba(colour: str) -> tuple[float, ...]:
    return (*(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)), 1.0)


@settings(max_examples=20)
@given(rankings)
@example([])
@example(FULL)
@example([("W" * 50, 1.0)] * 20)
@example([("$X_{1}$", 0.0)])
def test_texts_stay_on_the_page_apart_from_each_other_and_are_no_formulas(ranked):
    figure = ranking_figure(ranked, WORDS)
    assert complaints(figure) == []
    said = [text.get_text() for text in texts(figure)]
    assert [each for each in said if each in dict(ranked)] == [issue for issue, _ in ranked]
    assert LOWEST <= figure.bbox.height <= HIGHEST


@settings(max_examples=15)
@given(st.lists(st.tuples(hostile_issue_ids, strategies.scores, display_names), max_size=10))
@example([("AI-1", 0.5, "Answers cite pages"), ("AI-2", 0.4, "漢字"), ("AI-3", 0.3, "")])
@example([("AI-1", 0.5, "W" * 60)] * 10)
def test_titles_stand_after_issues_where_the_font_has_their_characters(listed):
    ranked, titles = [(issue, score) for issue, score, _ in listed], [each[2] for each in listed]
    figure = ranking_figure(ranked, WORDS, titles)
    assert complaints(figure) == []
    said = [text.get_text() for text in texts(figure)]
    for issue, _, title in listed:
        assert f"{issue}  {title}" in said if title and title.isascii() else True
        assert "漢" not in "".join(said)


@settings(max_examples=20)
@given(rankings)
def test_bars_come_in_order_and_their_lengths_are_the_scores(ranked):
    figure = ranking_figure(ranked, WORDS)
    full, drawn = bars(figure, TRACK), bars(figure)
    assert len(full) == len(drawn) == len(ranked)
    for (_, score), (left, width, top), track in zip(ranked, drawn, full, strict=True):
        assert width == pytest.approx(score * track[1])
        assert (left, top) == (track[0], track[2])
    from_the_top = [-patch.get_window_extent().y1 for patch in rectangles(figure.axes[0])[::2]]
    assert ascends(from_the_top)


@pytest.mark.parametrize("ranked", [FULL, [("W" * 50, 0.5)] * 20], ids=["short", "long"])
def test_each_score_and_issue_stands_at_its_own_bar(ranked):
    figure = ranking_figure(ranked, WORDS)
    axes = figure.axes[0]
    slots = [axes.transData.transform((0, p.get_y()))[1] for p in rectangles(axes)[::2]]
    for kind in (axes.texts[::2], axes.texts[1::2]):
        middles = [(b.y0 + b.y1) / 2 for b in (text.get_window_extent() for text in kind)]
        apart = [abs(slot - middle) for slot, middle in zip(slots, middles, strict=True)]
        assert max(apart) < abs(slots[1] - slots[0]) * 0.8


@pytest.mark.parametrize("ranked", [FULL, [("$_" * 25, 0.5)] * 20], ids=["short", "long"])
def test_no_text_touches_a_bar(ranked):
    figure = ranking_figure(ranked, WORDS)
    bars = [patch.get_window_extent() for patch in rectangles(figure.axes[0])]
    # Seen, not measured: a text's box has room above and below its letters.
    letters = {text.get_text(): box.shrunk(1, 0.8) for text, box in texts(figure).items()}
    assert [text for text, box in letters.items() if box.count_overlaps(bars)] == []


def test_a_ranking_of_nothing_says_so():
    figure = ranking_figure([], WORDS)
    assert WORDS.nothing_ranked in [text.get_text() for text in texts(figure)]
    assert bars(figure) == []
