"""The totals of one user, as the read model has them."""

from sqlalchemy import Connection, func, select

from ledger.store.statements import Statement
from projections.statistics import Totals
from projections.views.tables import STREAM_OF_USER, engagements

_e = engagements.c
_TOTALS = Statement(
    select(
        func.sum(_e.mentions + _e.views + _e.queries),
        func.count(),
        func.max(_e.last_at),
    ).where(_e.stream == STREAM_OF_USER),
    "user_id",
)


def totals_of(connection: Connection, user_id: str) -> Totals:
    """Return what the user's engagements add up to; the database does the adding."""
    interactions, issues, last_at = _TOTALS.run(connection, user_id).fetchone()
    return Totals(int(interactions or 0), issues, last_at)
