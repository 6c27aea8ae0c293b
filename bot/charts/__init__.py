"""Charts: values in, the bytes of a PNG out.

Equal values give equal bytes. Any thread may draw; one draws at a time, since matplotlib keeps
caches that are not made for more. Drawing takes some tenths of a second: not for the event loop.
Without the extra `charts` both raise MissingExtraError.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from zoneinfo import ZoneInfo

from bot.chart_words import ChartWords
from bot.extras import extra
from projections.timeline import ScoreSeries

_drawing = Lock()


def score_chart(series: ScoreSeries, zone: ZoneInfo, words: ChartWords) -> bytes:
    """Return a PNG, 1280 pixels wide, of one issue's score over time; dates are those of `zone`."""
    with _drawing, _quietly(), extra("charts"):
        from bot.charts.canvas import png  # noqa: PLC0415 - see _quietly
        from bot.charts.score import score_figure  # noqa: PLC0415

        return png(score_figure(series, zone, words))


def ranking_chart(ranked: Sequence[tuple[str, float]], words: ChartWords) -> bytes:
    """Return a PNG, 1280 pixels wide, of issues and their scores as bars, the first on top.

    Made for up to 20; more get thinner.
    """
    with _drawing, _quietly(), extra("charts"):
        from bot.charts.canvas import png  # noqa: PLC0415 - see _quietly
        from bot.charts.ranking import ranking_figure  # noqa: PLC0415

        return png(ranking_figure(ranked, words))


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep matplotlib from logging while it is imported and used.

    It is imported with the first chart, as that takes about a second which the bot's start need not
    wait for. It then warns where its cache folder cannot be written, though it does without.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
