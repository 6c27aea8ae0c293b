"""Engagements as they were: folded from the events that an answer about the past sees (R8)."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from ledger.archive.columns import occurred_at, recorded_at
from ledger.archive.corrected import corrected
from ledger.archive.folder import Archive
from ledger.archive.reading import FOLDED_COLUMNS
from ledger.clock_corrections import Corrections
from ledger.segment import Segment
from ledger.store.corrections import corrections
from ledger.store.histories import account_of, hot_rows_of_user
from ledger.store.segments import segments
from projections.as_of import AsOf, folds_as_of
from projections.engagement import NONE, Engagement, merge
from projections.views.accounts import somebodys
from projections.views.partial_rows import rows_of
from projections.views.partials import joined, partial_of


def past_engagements(
    connection: Connection, archive: Archive, user_id: str, as_of: AsOf
) -> list[tuple[str, Engagement]]:
    """Return the engagements of one user with their issues, as they were."""
    found = folds_as_of(hot_rows_of_user(connection, user_id), as_of)
    for issue_id, engagement in _sealed(connection, archive, user_id, as_of):
        found[issue_id] = merge(found.get(issue_id, NONE), engagement)
    return [pair for pair in found.items() if pair[1].count]


def _sealed(
    connection: Connection, archive: Archive, user_id: str, as_of: AsOf
) -> Iterator[tuple[str, Engagement]]:
    """Yield what the segments say of the user's engagements, by columns: they can be many."""
    by = corrections(connection)
    known = [
        segment
        for segment in segments(connection)
        if as_of.known_at is None or _begins_at(segment, by) <= as_of.known_at
    ]
    account = account_of(connection, user_id) if known else None
    if account is not None:
        seen = (_seen(archive, segment, account[1], as_of, by) for segment in known)
        for table in joined([partial_of(each) for each in seen if len(each)]):
            rows = (each.row for each in rows_of(somebodys(connection, table)))
            yield from ((row.issue_id, row.engagement) for row in rows)


def _begins_at(segment: Segment, by: Corrections) -> int:
    return by.recorded_at(segment.first_position, segment.first_recorded_at)


def _seen(
    archive: Archive, segment: Segment, account: str, as_of: AsOf, by: Corrections
) -> pa.Table:
    """Return an account's events in a segment that are seen."""
    table = corrected(archive.read_account(segment, account, columns=FOLDED_COLUMNS), by)
    is_seen = np.ones(len(table), bool)
    if as_of.at is not None:
        is_seen &= occurred_at(table) <= as_of.at
    if as_of.known_at is not None:
        is_seen &= recorded_at(table) <= as_of.known_at
    return table.filter(pa.array(is_seen))
