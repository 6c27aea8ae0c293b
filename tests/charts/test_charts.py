"""The bytes: valid, of the right size, equal for equal values, from any thread, and quietly."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.charts import ranking_chart, score_chart
from ledger.instants import DAY, Instant
from projections.timeline import score_series
from tests.support.chart_pictures import size_of
from tests.support.chart_words import WORDS
from tests.support.event_rows import event_row
from tests.support.strategies import NOON

UTC = ZoneInfo("UTC")
ROWS = [event_row(n, 1, "AI-1", 3, NOON + n * DAY, None, None, 0) for n in range(1, 4)]


def series(days: int):
    return score_series("AI-1", ROWS, NOON, Instant(NOON + days * DAY))


def test_a_chart_of_a_score_is_a_png_for_a_phone():
    assert size_of(score_chart(series(40), UTC, WORDS)) == (1280, 860)


@pytest.mark.parametrize(("count", "height"), [(0, 320), (1, 320), (10, 910), (20, 960)])
def test_a_chart_of_a_ranking_is_a_png_for_a_phone(count, height):
    ranked = [(f"AI-{n}", 0.5) for n in range(count)]
    assert size_of(ranking_chart(ranked, WORDS)) == (1280, height)


def test_equal_values_give_equal_bytes_and_others_do_not():
    assert score_chart(series(40), UTC, WORDS) == score_chart(series(40), UTC, WORDS)
    assert score_chart(series(40), UTC, WORDS) != score_chart(series(41), UTC, WORDS)
    ranked = [("AI-1", 0.68), ("AI-2", 0.5)]
    assert ranking_chart(ranked, WORDS) == ranking_chart(list(ranked), WORDS)
    assert ranking_chart(ranked, WORDS) != ranking_chart(ranked[::-1], WORDS)


def test_threads_that_draw_at_once_draw_the_same():
    days = list(range(4))
    alone = [score_chart(series(each), UTC, WORDS) for each in days]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda each: score_chart(series(each), UTC, WORDS), days * 2))
    assert together == alone * 2


PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from zoneinfo import ZoneInfo
from bot.charts import ranking_chart
from tests.support.chart_words import WORDS
from tests.support.event_rows import event_row
assert not any(name.startswith("matplotlib") for name in sys.modules)
png = ranking_chart([("AI-1", 0.68)], WORDS)
assert "matplotlib.pyplot" not in sys.modules
assert logging.getLogger("matplotlib").level == logging.NOTSET
sys.stdout.buffer.write(png)
"""


@pytest.mark.parametrize("folder", ["writable", "not"])
def test_a_first_chart_says_nothing_and_needs_no_folder_of_its_own(tmp_path, folder):
    (tmp_path / "file").touch()
    config = tmp_path / "config" if folder == "writable" else tmp_path / "file" / "below"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"MPLCONFIGDIR": str(config)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == ranking_chart([("AI-1", 0.68)], WORDS)
