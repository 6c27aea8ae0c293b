"""Rows of the read model: an engagement, and what its row has beside it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ledger.errors import LedgerDamagedError
from ledger.events import EventRow
from projections.engagement import Engagement, fold, merge

_NEVER = -1
_FOLD: Any = tuple.__class_getitem__(
    tuple(each.type for each in msgspec.structs.fields(Engagement))
)


class Stored(NamedTuple):
    """A row of the read model, but for what a policy makes of it."""

    id: int
    stream: int
    issue_id: str
    engagement: Engagement
    last_position: int | None
    scored_at: int


def stored_engagement(fields: Sequence[Any]) -> Engagement:
    """Return the engagement of stored fields; raises LedgerDamagedError for other types."""
    try:
        return Engagement(*msgspec.convert(fields, _FOLD))
    except msgspec.ValidationError as error:
        raise LedgerDamagedError("an engagement cannot be read") from error


def fold_stored(rows: Sequence[EventRow]) -> Stored:
    """Return the read model's row for the events of one user with one issue, by position."""
    position, stream, issue_id = rows[0][:3]
    scored_at = rows[-1][-1]
    return Stored(position, stream, issue_id, fold(rows), _last_position(rows), scored_at)


def stored_row(row: Sequence[Any], stream: int, issue_id: str) -> Stored:
    """Return what is stored of an engagement: its id, last position and fields.

    Once it is merged with later events, the instant of its score counts no more.
    """
    position, last_position, *fields = row
    return Stored(position, stream, issue_id, stored_engagement(fields), last_position, 0)


def with_stored(row: Sequence[Any] | None, after: Stored) -> Stored:
    """Return the row of both histories from what is stored, if anything, and later events."""
    if row is None:
        return after
    return together(stored_row(row, after.stream, after.issue_id), after)


def together(before: Stored, after: Stored) -> Stored:
    """Return the row of both histories; no event is in both, and `after` was recorded later."""
    is_later = after.last_position is None or _last(before) > _last(after)
    return Stored(
        min(before.id, after.id),
        before.stream,
        before.issue_id,
        merge(before.engagement, after.engagement),
        before.last_position if is_later else after.last_position,
        max(before.scored_at, after.scored_at),
    )


def _last(row: Stored) -> tuple[int, int]:
    engagement = row.engagement
    return engagement.last_at or _NEVER, engagement.last_kind or _NEVER


def _last_position(rows: Sequence[EventRow]) -> int | None:
    touches = [(row.occurred_at, row.kind, row.position) for row in rows if row.kind is not None]
    return max(touches)[-1] if touches else None
