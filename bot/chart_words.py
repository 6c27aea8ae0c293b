"""The words on charts."""

import msgspec


class ChartWords(msgspec.Struct, frozen=True, kw_only=True):
    """What people read on charts; in one language, and in characters that DejaVu Sans has.

    Words in braces stand for what is put there.
    """

    score_caption: str
    """Under the issue: "Score, {start} to {end} ({zone})"."""
    score_caption_of_day: str
    """The same, where the span is within one day: "Score on {start} ({zone})"."""
    no_interactions: str
    """In place of a line, where the issue was not touched by the end of the span."""
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
    """In place of bars, where nothing ranks."""
    day: str
    """A day of the year: "{day} {month}"."""
    date: str
    """A day of a year: "{day} {month} {year}"."""
    months: tuple[str, ...]
    """Short names of the twelve months, January first."""
