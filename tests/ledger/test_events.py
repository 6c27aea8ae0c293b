"""Effective instants: the least of an event's own and those of all later corrections (R8)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ledger.archive.reading import effective_instants
from ledger.events import Correction, Corrections, EventRow
from ledger.instants import DAY
from tests.support import strategies
from tests.support.event_rows import event_row

positions = st.integers(1, 12)
some_corrections = st.lists(
    st.builds(Correction, positions, strategies.instants),
    max_size=4,
    unique_by=lambda each: each.position,
)


def naive(found: list[Correction], position: int, occurred: int, recorded: int) -> tuple[int, int]:
    recorded = min([recorded, *(each.recorded_at for each in found if each.position > position)])
    return (occurred if occurred <= recorded + DAY else recorded), recorded


@given(some_corrections, positions, strategies.instants, strategies.instants)
def test_an_instant_is_the_least_of_its_own_and_of_later_corrections(
    found, position, occurred, recorded
):
    corrections = Corrections(found)
    expected = naive(found, position, occurred, recorded)
    assert corrections.instants(position, occurred, recorded) == expected
    assert corrections.recorded_at(position, recorded) == expected[1]


@given(
    some_corrections,
    st.lists(st.tuples(positions, strategies.instants, strategies.instants), max_size=10),
)
def test_columns_and_rows_say_the_same_as_one_by_one(found, events):
    corrections = Corrections(found)
    columns = (np.array(each, np.int64) for each in zip(*events, strict=True)) if events else ()
    occurred, recorded = (
        effective_instants(corrections, *columns) if events else (np.array([]), np.array([]))
    )
    one_by_one = [corrections.instants(*each) for each in events]
    assert list(zip(occurred.tolist(), recorded.tolist(), strict=True)) == one_by_one
    rows = [event_row(at, 1, "AI-1", 1, occ, None, None, rec) for at, occ, rec in events]
    expected = one_by_one if found else [each[1:] for each in events]
    assert [(row.occurred_at, row.recorded_at) for row in corrections.of(rows)] == expected


@given(some_corrections, strategies.instants)
def test_the_last_position_before_an_instant_is_the_last_that_a_correction_puts_there(found, at):
    late = 2**62
    known = [position for position in range(1, 13) if naive(found, position, late, late)[1] < at]
    assert Corrections(found).last_before(at) == max(known, default=0)


@given(st.lists(st.tuples(strategies.instants, st.booleans()), min_size=1, max_size=10))
def test_effective_instants_never_fall_from_one_position_to_the_next(story):
    """Recorded by a head that only a correction sets back, as the ledger's does."""
    head, found, recorded = 0, [], []
    for position, (now, is_corrected) in enumerate(story, 1):
        if is_corrected and now < head:
            found.append(Correction(position, now))
        head = now if is_corrected and now < head else max(head, now)
        recorded.append(head)
    corrections = Corrections(found)
    effective = [corrections.recorded_at(*each) for each in enumerate(recorded, 1)]
    assert effective == sorted(effective)


def test_without_corrections_rows_are_the_same_ones():
    rows: list[EventRow] = []
    assert Corrections().of(rows) is rows
    assert not Corrections()
