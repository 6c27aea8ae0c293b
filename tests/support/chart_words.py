"""Words for the tests' charts."""

from bot.english.charts import ChartWords
from ledger.commands import KINDS

WORDS = ChartWords(
    score_caption="Score, {start} to {end} ({zone})",
    score_caption_of_day="Score on {start} ({zone})",
    no_interactions="No interactions yet",
    kinds={label: label for label in KINDS},
    late="late",
    override="override",
    decay="decay",
    ranking_title="Your most engaged issues",
    nothing_ranked="Nothing ranks yet",
    day="{day} {month}",
    date="{day} {month} {year}",
    months=(
        *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
        *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    ),
)
