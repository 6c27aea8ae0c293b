"""Rows of engagements: the statements on one table of them, and what a row holds."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Table, bindparam, delete, insert, or_, select, tuple_, update

from ledger.errors import LedgerDamagedError
from ledger.events import EventRow
from ledger.instants import Instant
from ledger.store.statements import Query, Statement
from ledger.store.tables import streams
from projections.engagement import (
    COUNTS,
    LASTS,
    VALUE_NAMES,
    Engagement,
    engagement_of,
    fold,
    merge,
)
from projections.read_model.tables import STREAM_OF_USER, engagements

# The statements on one table of engagements: the live one, or one beside it.

COLUMNS: tuple[str, ...] = tuple(engagements.c.keys())
IDENTITY = ("id", "stream", "issue_id")
CHANGING = tuple(name for name in COLUMNS if name not in IDENTITY)
"""The key columns, left out of updates because SQLite rewrites each index of an updated column."""

RULED = ("band", "active_at", "score", "scored_at", "policy_version")
"""The columns that a policy determines."""


class ScoredRow(NamedTuple):
    """An engagement with its id and the instant of its score."""

    id: int
    scored_at: Instant
    engagement: Engagement


def scored_row(id_: int, scored_at: Instant, *values: Any) -> ScoredRow:  # noqa: ANN401 - of any column
    """Read the row of an engagement whose values come last."""
    return ScoredRow(id_, scored_at, stored_engagement(values))


class TableStatements:
    """The statements that write a table of engagements, or read rows for an update."""

    def __init__(self, table: Table) -> None:
        """Prepare the statements for `table`."""
        c, self._table = table.c, table
        fold = [c[name] for name in VALUE_NAMES]
        self.insert = Statement(insert(table), *COLUMNS)
        self.update = self._updating(CHANGING)
        self.refresh = self._updating(("score", "scored_at"))
        self.adopt = self._updating(RULED)
        self.forget = Statement(delete(table).where(c.stream == bindparam("stream")), "stream")
        self.stored = Statement(
            select(c.id, c.last_position, *fold).where(
                c.stream == bindparam("stream_"), c.issue_id == bindparam("issue")
            ),
            "stream_",
            "issue",
        )
        self.batch = Query(
            scored_row,
            select(c.id, c.scored_at, *fold)
            .where(
                c.id > bindparam("last_id"),
                or_(bindparam("everybody").is_(None), c.stream == STREAM_OF_USER),
            )
            .order_by(c.id),
            "last_id",
            "everybody",
            "user_id",
        )
        self.of_accounts = Statement(
            select(streams.c.originator_id, table)
            .join(streams, streams.c.id == c.stream)
            .where(
                streams.c.originator_id > bindparam("after"),
                streams.c.originator_id <= bindparam("upto"),
            )
            .order_by(streams.c.originator_id, c.issue_id),
            "after",
            "upto",
        )
        place = tuple_(bindparam("stream"), bindparam("issue"))
        self.following = Statement(
            select(table)
            .where(tuple_(c.stream, c.issue_id) > place)
            .order_by(c.stream, c.issue_id),
            "stream",
            "issue",
        )

    def _updating(self, names: tuple[str, ...]) -> Statement:
        """An update of some columns, whose parameters come first, of the row with the last one."""
        changes: dict[str, Any] = {name: bindparam(f"{name}_") for name in names}
        change = update(self._table).values(changes).where(self._table.c.id == bindparam("id_"))
        return Statement(change, *(f"{name}_" for name in names), "id_")


LIVE = TableStatements(engagements)
"""The statements on the live table."""


# Rows of the read model: an engagement, and the other stored fields.

_NEVER = -1
_TYPES: dict[str, Any] = {each.name: each.type for each in msgspec.structs.fields(Engagement)}
_TYPES |= dict.fromkeys(COUNTS, int) | dict.fromkeys(LASTS, int | None)
_Values: Any = msgspec.defstruct(
    "_Values",
    [(name, _TYPES[name]) for name in VALUE_NAMES],
    array_like=True,
    forbid_unknown_fields=True,
)
"""The values of an engagement, which are checked fast as those of a struct."""


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
        return engagement_of(msgspec.structs.astuple(msgspec.convert(fields, _Values)))
    except msgspec.ValidationError as error:
        raise LedgerDamagedError("an engagement cannot be read") from error


def fold_stored(rows: Sequence[EventRow]) -> Stored:
    """The read model's row for the events of one user with one issue, given by position."""
    first, last = rows[0], rows[-1]
    last_position = _last_position(rows)
    where = first.position, first.stream, first.issue_id
    return Stored(*where, fold(rows), last_position, last.recorded_at)


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
    touches = [(row.occurred_at, row.kind, row.position) for row in rows if row.is_interaction]
    return max(touches)[-1] if touches else None
