"""Engagements as they were: folded from the events that an answer about the past sees (R8)."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from ledger.archive.columns import occurred_at, recorded_at
from ledger.archive.folder import Archive
from ledger.archive.reading import EVENT_COLUMNS
from ledger.segment import Segment
from ledger.store.histories import account_of
from ledger.store.segments import segments
from projections.as_of import AsOf
from projections.engagement import Engagement
from projections.views.folding import before, hot_rows, partials_of, rows_of, somebodys
from projections.views.partials import merged, partial_of


def past_engagements(
    connection: Connection, archive: Archive, user_id: str, as_of: AsOf
) -> list[tuple[str, Engagement]]:
    """Return the engagements of one user with their issues, as they were."""
    found = account_of(connection, user_id)
    if found is None:
        return []
    account = found[1]
    hot = hot_rows(connection, before(account), account)
    seen = (row for row in hot if as_of.sees(row[_OCCURRED], row[_RECORDED]))
    sealed = (
        _seen(archive, segment, account, as_of)
        for segment in segments(connection)
        if as_of.known_at is None or segment.first_recorded_at <= as_of.known_at
    )
    folded = merged([partials_of(seen), *sealed])
    rows = (each.row for table in folded for each in rows_of(somebodys(connection, table)))
    return [(row.issue_id, row.engagement) for row in rows if row.engagement.count]


_OCCURRED, _RECORDED = 2, 4  # in hot rows


def _seen(archive: Archive, segment: Segment, account: str, as_of: AsOf) -> Iterator[pa.Table]:
    """Yield the partial of an account's events in a segment that are seen, if any are."""
    table = archive.read_account(segment, account, columns=EVENT_COLUMNS)
    is_seen = np.ones(len(table), bool)
    if as_of.at is not None:
        is_seen &= occurred_at(table) <= as_of.at
    if as_of.known_at is not None:
        is_seen &= recorded_at(table) <= as_of.known_at
    if is_seen.any():
        yield partial_of(table.filter(pa.array(is_seen)))
