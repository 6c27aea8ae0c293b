"""The totals of one user, from the read model and its tail."""

from sqlalchemy import Connection, func, select

from ledger.instants import Instant
from ledger.store.statements import Statement
from projections.read_model.engagement_rows import LIVE
from projections.read_model.tables import STREAM_OF_USER, engagements
from projections.read_model.tail import tail_of_user
from projections.statistics import Totals

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
    """The totals of the user's engagements; the database sums the stored ones."""
    interactions, issues, last_at = _TOTALS.run(connection, user_id).fetchone()
    totals = Totals(int(interactions or 0), issues, last_at)
    find = LIVE.stored.finder(connection)
    for tail in tail_of_user(connection, user_id):
        lasts = filter(None, (totals.last_at, tail.engagement.last_at))
        totals = Totals(
            totals.interactions + tail.engagement.count,
            totals.issues + (find(tail.stream, tail.issue_id) is None),
            max(map(Instant, lasts), default=None),
        )
    return totals
