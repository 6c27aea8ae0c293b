"""Rows of the read model: an engagement, and the other stored fields."""

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
    """A row of the read model without the columns that a policy determines."""

    id: int
    stream: int
    issue_id: str
    engagement: Engagement
    last_position: int | None
    scored_at: int


def stored_engagement(fields: Sequence[Any]) -> Engagement:
    """The engagement of stored fields; raises LedgerDamagedError for other types."""
    try:
        return Engagement(*msgspec.convert(fields, _FOLD))
    except msgspec.ValidationError as error:
        raise LedgerDamagedError("an engagement cannot be read") from error


def fold_stored(rows: Sequence[EventRow]) -> Stored:
    """The read model's row for the events of one user with one issue, given by position."""
    position, stream, issue_id = rows[0][:3]
    scored_at = rows[-1][-1]
    return Stored(position, stream, issue_id, fold(rows), _last_position(rows), scored_at)


def stored_row(row: Sequence[Any], stream: int, issue_id: str) -> Stored:
    """The stored part of an engagement: its id, last position and fields.

    The instant of its score is dropped, since it is to be merged with later events.
    """
    position, last_position, *fields = row
    return Stored(position, stream, issue_id, stored_engagement(fields), last_position, 0)


def with_stored(row: Sequence[Any] | None, after: Stored) -> Stored:
    """The row of a stored engagement, if any, merged with later events."""
    if row is None:
        return after
    return together(stored_row(row, after.stream, after.issue_id), after)


def together(before: Stored, after: Stored) -> Stored:
    """The row of two histories without a common event, of which `after` was recorded later."""
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
