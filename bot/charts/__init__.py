"""Charts: values in, the bytes of a PNG out.

Equal values give equal bytes. Any thread may draw; a lock lets one draw at a time, since
matplotlib's caches are not thread-safe. Drawing takes some tenths of a second, so keep it off the
event loop. Without the extra `charts` both functions raise MissingExtraError.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from zoneinfo import ZoneInfo

from bot.english.charts import ChartWords
from bot.extras import extra
from projections.timeline import ScoreSeries

# Guards matplotlib, whose caches and logger are shared by the process: one thread draws at a time.
_drawing = Lock()


def score_chart(series: ScoreSeries, zone: ZoneInfo, words: ChartWords) -> bytes:
    """Return a PNG, 1280 pixels wide, of one issue's score over time; dates are those of `zone`."""
    with _drawing, _quietly(), extra("charts"):
        from bot.charts.canvas import png  # noqa: PLC0415 - see _quietly
        from bot.charts.score_curve import score_figure  # noqa: PLC0415

        return png(score_figure(series, zone, words))


def ranking_chart(
    ranked: Sequence[tuple[str, float]], words: ChartWords, titles: Sequence[str] = ()
) -> bytes:
    """Return a PNG, 1280 pixels wide, of issues and their scores as bars, the first on top.

    `titles` stand after the issues in the same order; one with a character that the font lacks is
    left out. Designed for up to 20 issues; the bars of more are thinner.
    """
    with _drawing, _quietly(), extra("charts"):
        from bot.charts.canvas import png  # noqa: PLC0415 - see _quietly
        from bot.charts.ranking_bars import ranking_figure  # noqa: PLC0415

        return png(ranking_figure(ranked, words, titles))


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep matplotlib from logging while it is imported and used.

    It is imported with the first chart, so that the bot starts about a second sooner. On import it
    warns if its cache folder cannot be written, although it works without one.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
