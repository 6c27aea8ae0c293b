"""The statements on one table of engagements: the live one, or one beside it."""

from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, or_, select, tuple_, update

from ledger.store.statements import Statement
from ledger.store.tables import streams
from projections.engagement import Engagement
from projections.views.tables import STREAM_OF_USER, engagements

COLUMNS: tuple[str, ...] = tuple(engagements.c.keys())
IDENTITY, CHANGING = COLUMNS[:3], COLUMNS[3:]
"""What identifies a row stays out of updates: SQLite rewrites each index that it names."""

RULED = ("band", "active_at", "score", "scored_at", "policy_version")
"""The columns that a policy makes."""

_FOLD = Engagement.__struct_fields__


class TableStatements:
    """What is written to a table of engagements, and read of it to be written anew."""

    def __init__(self, table: Table) -> None:
        """Name `table` in each of them."""
        c, self._table = table.c, table
        fold = [c[name] for name in _FOLD]
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
        self.batch = Statement(
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
        """The update of some columns, which come first, of the row whose id comes last."""
        changes: dict[str, Any] = {name: bindparam(f"{name}_") for name in names}
        change = update(self._table).values(changes).where(self._table.c.id == bindparam("id_"))
        return Statement(change, *(f"{name}_" for name in names), "id_")


LIVE = TableStatements(engagements)
"""Those on the table that questions are asked of."""
