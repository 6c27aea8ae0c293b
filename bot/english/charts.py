"""Texts on charts, in characters that DejaVu Sans has."""

import msgspec

from bot.english.dates import MONTHS
from bot.english.scores import KINDS


class ChartWords(msgspec.Struct, frozen=True, kw_only=True):
    """The texts on charts in one language, in characters that DejaVu Sans has.

    Names in braces are placeholders.
    """

    score_caption: str
    """Under the issue: "Score, {start} to {end} ({zone})"."""
    score_caption_of_day: str
    """The same, where the span is within one day: "Score on {start} ({zone})"."""
    no_interactions: str
    """Shown instead of a line if the issue was not touched by the end of the span."""
    kinds: dict[str, str]
    late: str
    override: str
    decay: str
    """Names of the rows beneath a score: the kinds by their labels, those known late, overrides,
    spans under daily decay."""
    ranking_title: str
    nothing_ranked: str
    """Shown instead of bars if nothing ranks."""
    day: str
    """A day of the year: "{day} {month}"."""
    date: str
    """A day of a year: "{day} {month} {year}"."""
    months: tuple[str, ...]
    """Short names of the twelve months, January first."""


CHART = ChartWords(
    score_caption="Score, {start} to {end} ({zone})",
    score_caption_of_day="Score on {start} ({zone})",
    no_interactions="Nothing recorded yet",
    kinds={label: plural for label, (_, plural) in KINDS.items()},
    late="known late",
    override="set by hand",
    decay="daily decay",
    ranking_title="Most engaged with",
    nothing_ranked="Nothing ranks",
    day="{day} {month}",
    date="{day} {month} {year}",
    months=MONTHS,
)
