"""Rows of events as folds read them, made without naming their topic."""

from ledger.commands import OVERRIDE
from ledger.events import INTERACTION, EventRow


def event_row(
    position: int,
    stream: int,
    issue_id: str,
    kind: int | None,
    occurred_at: int,
    linear_id: str | None,
    score: float | None,
    recorded_at: int,
) -> EventRow:
    """The row of an interaction, or of an override if there is no kind."""
    topic = OVERRIDE if kind is None else INTERACTION
    what = topic, issue_id, kind, occurred_at, linear_id, score
    return EventRow(position, stream, *what, recorded_at)
