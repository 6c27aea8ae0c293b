"""The words on charts."""

import msgspec


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
    query: str
    view: str
    mention: str
    late: str
    override: str
    decay: str
    """Names of the rows beneath a score: the three kinds, those known late, overrides, spans under
    daily decay."""
    ranking_title: str
    nothing_ranked: str
    """Shown instead of bars if nothing ranks."""
    day: str
    """A day of the year: "{day} {month}"."""
    date: str
    """A day of a year: "{day} {month} {year}"."""
    months: tuple[str, ...]
    """Short names of the twelve months, January first."""
