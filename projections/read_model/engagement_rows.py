"""The statements on one table of engagements: the live one, or one beside it."""

from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, or_, select, tuple_, update

from ledger.store.statements import Statement
from ledger.store.tables import streams
from projections.engagement import Engagement
from projections.read_model.tables import STREAM_OF_USER, engagements

COLUMNS: tuple[str, ...] = tuple(engagements.c.keys())
IDENTITY, CHANGING = COLUMNS[:3], COLUMNS[3:]
"""The key columns, left out of updates because SQLite rewrites each index of an updated column."""

RULED = ("band", "active_at", "score", "scored_at", "policy_version")
"""The columns that a policy determines."""

_FOLD = Engagement.__struct_fields__


class TableStatements:
    """The statements that write a table of engagements, or read rows for an update."""

    def __init__(self, table: Table) -> None:
        """Prepare the statements for `table`."""
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
        """An update of some columns, whose parameters come first, of the row with the last one."""
        changes: dict[str, Any] = {name: bindparam(f"{name}_") for name in names}
        change = update(self._table).values(changes).where(self._table.c.id == bindparam("id_"))
        return Statement(change, *(f"{name}_" for name in names), "id_")


LIVE = TableStatements(engagements)
"""The statements on the live table."""
