"""The bounds of questions about the past are the same of one event and of columns of events."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ledger.as_of import AsOf
from tests.support import strategies

instants = st.none() | strategies.instants
as_ofs = st.builds(AsOf, instants, instants)


@given(strategies.event_rows(), as_ofs)
def test_columns_are_seen_as_their_events_are(rows, as_of):
    occurred = np.array([row.occurred_at for row in rows], np.int64)
    recorded = np.array([row.recorded_at for row in rows], np.int64)
    is_seen = np.ones(len(rows), bool) & as_of.sees(occurred, recorded)
    seen = [row for row, each in zip(rows, is_seen.tolist(), strict=True) if each]
    assert seen == as_of.of(rows)


@given(strategies.event_rows(), as_ofs)
def test_what_is_seen_happened_and_was_known_by_then(rows, as_of):
    seen = as_of.of(rows)
    for row in rows:
        is_past = as_of.at is None or row.occurred_at <= as_of.at
        is_known = as_of.known_at is None or row.recorded_at <= as_of.known_at
        assert (row in seen) == (is_past and is_known)
