"""The certificate's second way: SQLite folds hot events as one by one they are folded."""

from itertools import groupby
from operator import attrgetter
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert

from ledger.events import Correction, Corrections, EventRow
from ledger.instants import DAY
from ledger.store import tables
from projections.read_model import certificate, snapshots
from projections.read_model.columnar_fold import Row
from projections.read_model.engagement_rows import fold_stored
from tests.support.segment_tables import histories
from tests.support.strategies import NOON

corrections = st.lists(
    st.builds(Correction, st.integers(1, 40), st.integers(NOON - 40 * DAY, NOON + 40 * DAY)),
    max_size=3,
    unique_by=lambda each: each.position,
).map(Corrections)


def stored(connection: Connection, events: list[EventRow]) -> None:
    """Write events into a hot store that has nothing else."""
    tables.events.create(connection)
    for each in events:
        row = each._asdict() | {"version": each.position}
        connection.execute(insert(tables.events).values(row))


def one_by_one(events: list[EventRow], known: Corrections) -> list[Row]:
    place = attrgetter("stream", "issue_id")
    in_order = sorted(known.of(events), key=attrgetter("stream", "issue_id", "position"))
    return [snapshots._row(fold_stored(list(group))) for _, group in groupby(in_order, place)]


@given(histories(), corrections, st.data())
def test_sqlite_folds_a_range_of_hot_events_as_they_are_folded_one_by_one(events, known, data):
    positions = [each.position for each in events] or [1]
    first, last = sorted(data.draw(st.lists(st.sampled_from(positions), min_size=2, max_size=2)))
    within = [each for each in events if first <= each.position <= last]
    engine = create_engine("sqlite://")
    with (
        engine.begin() as connection,
        mock.patch.object(certificate, "corrections", return_value=known),
    ):
        stored(connection, events)
        assert certificate.hot_folds(connection, first, last) == one_by_one(within, known)
    engine.dispose()
