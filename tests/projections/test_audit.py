"""Activity in audits: every way of counting adds up to the events, and no week is left out."""

from collections import Counter
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from ledger.instants import DAY, moment_of
from projections.audit import Tally, activity
from tests.support import strategies

zones = st.sampled_from(["UTC", "Asia/Tokyo", "America/Havana"]).map(ZoneInfo)


def added(tallies: list[Tally]) -> Tally:
    counts = [tally.counts for tally in tallies]
    return Tally(tuple(map(sum, zip(*counts, strict=True)))) if tallies else Tally()


@given(strategies.event_rows(), zones, st.data())
def test_every_count_adds_up_to_the_events_in_any_order(rows, zone, data):
    found = activity(data.draw(st.permutations(rows)), zone)
    kinds = Counter(row.kind for row in rows)
    assert found.tally == Tally((kinds[1], kinds[2], kinds[3]))
    for parts in (found.weeks, found.users, found.issues):
        assert added([each.tally for each in parts]) == found.tally
    assert added(list(found.weekdays)) == added(list(found.hours)) == found.tally
    assert len(found.overrides) == kinds[None]
    assert found == activity(rows, zone)


@given(strategies.event_rows(), zones)
def test_weeks_follow_each_other_and_hold_what_occurred_in_them(rows, zone):
    weeks = activity(rows, zone).weeks
    assert all((later.monday - each.monday).days == 7 for each, later in pairwise(weeks))
    for monday, tally in weeks:
        days = [
            (moment_of(row.occurred_at).astimezone(zone).date() - monday).days
            for row in rows
            if row.kind is not None
        ]
        assert tally.total == sum(0 <= day < 7 for day in days)


@given(strategies.event_rows())
def test_late_is_what_was_recorded_more_than_a_day_after_it_occurred(rows):
    found = activity(rows, ZoneInfo("UTC"))
    late = [row for row in rows if row.kind and row.recorded_at - row.occurred_at > DAY]
    assert sorted(found.late) == sorted(late)
    assert [row.occurred_at for row in found.late] == sorted(row.occurred_at for row in late)
