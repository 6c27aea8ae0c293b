"""The fold and the score by columns are those of each engagement by itself."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import pairwise
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.archive.columns import SCHEMA, one_table
from ledger.archive.sorted_merge import Source
from ledger.commands import Kind
from ledger.events import DECISIONS, EventRow
from ledger.instants import DAY, Instant
from projections import columnar
from projections.columnar import NO, FoldColumns, order, scores
from projections.engagement import (
    NONE,
    VALUE_NAMES,
    Engagement,
    engagement_of,
    fold,
    merge,
    of_kinds,
    touches,
    values_of,
)
from projections.policy import ScoringPolicy
from projections.ranking import band, ranking
from projections.read_model import columnar_fold, snapshots
from projections.read_model.columnar_fold import (
    joined,
    merged,
    partial_of,
    partial_of_rows,
    partial_of_sealed,
)
from projections.read_model.engagement_rows import Stored, fold_stored, together
from projections.scoring import score
from tests.support.event_rows import event_row
from tests.support.segment_tables import ACCOUNTS, any_linear_ids, histories, table
from tests.support.strategies import (
    HOUR,
    NOON,
    engagements,
    engagements_by_issue,
    moments_of_asking,
    policies,
)

# The fold by columns: the engagements of the fold one by one, however a history is cut.

Place = tuple[str, str]
Fold = dict[Place, tuple[Any, ...]]
"""By account and issue: the engagement, and what its row of the read model has beside it."""

BESIDE = ("id", "last_position", "scored_at")


def event(position: int, kind: int | None, at: int = 0, **more: Any) -> EventRow:
    return event_row(
        position,
        1,
        "AI-1",
        kind,
        NOON + at,
        **{"linear_id": None, "score": None, **more},
        recorded_at=NOON + position,
    )


# --- both ways of folding ------------------------------------------------------------------------


def by_place(events: Iterable[EventRow]) -> dict[Place, list[EventRow]]:
    groups: dict[Place, list[EventRow]] = defaultdict(list)
    for each in events:
        groups[str(ACCOUNTS[each.stream]), each.issue_id].append(each)
    return groups


def one_by_one(events: Iterable[EventRow]) -> Fold:
    """The read model's fold of the events."""
    found = {}
    for place, group in sorted(by_place(events).items()):
        row = fold_stored(sorted(group, key=attrgetter("position")))
        found[place] = (row.engagement, row.id, row.last_position, row.scored_at)
    return found


def read(partial: pa.Table) -> Fold:
    """The contents of a partial, which has each engagement once."""
    columns = partial.to_pydict()
    fields = [columns[name] for name in VALUE_NAMES]
    places = list(zip(columns["account"], columns["issue_id"], strict=True))
    assert len(set(places)) == len(places)
    found = {}
    for number, place in enumerate(places):
        values: dict[str, Any] = dict(
            zip(VALUE_NAMES, (each[number] for each in fields), strict=True)
        )
        if values["override_at"] == NO:
            assert values["override"] == 0
            values["override"] = None
        engagement = engagement_of([None if each == NO else each for each in values.values()])
        beside = (columns[name][number] for name in BESIDE)
        found[place] = (engagement, *(None if each == NO else each for each in beside))
    return found


def side_by_side(events: Iterable[EventRow]) -> list[EventRow]:
    """The events of each engagement beside each other, in the order of the archive's files."""
    groups = sorted(by_place(events).items())
    return [each for _, group in groups for each in sorted(group, key=in_time)]


def in_time(row: EventRow) -> tuple[int, int]:
    return row.occurred_at, row.position


def hot_rows(events: Iterable[EventRow]) -> list[tuple[Any, ...]]:
    return [
        (
            ACCOUNTS[each.stream].bytes,
            each.issue_id,
            each.occurred_at,
            each.position,
            each.recorded_at,
            DECISIONS.get(each.topic, each.kind),
            each.linear_id,
            each.score,
        )
        for each in side_by_side(events)
    ]


def in_file(events: list[EventRow]) -> pa.Table:
    return table(side_by_side(events))


def sealed(events: list[EventRow]) -> pa.Table:
    return partial_of(in_file(events))


def hot(events: list[EventRow]) -> pa.Table:
    return partial_of_rows(hot_rows(events))


def folded(events: list[EventRow]) -> pa.Table:
    """The partial of what was folded one by one before."""
    rows = []
    for group in dict(sorted(by_place(events).items())).values():
        row = fold_stored(sorted(group, key=attrgetter("position")))
        rows.append((str(ACCOUNTS[group[0].stream]), snapshots._row(row)))
    return partial_of_sealed(*zip(*rows, strict=True))


ways = st.sampled_from([sealed, hot, folded])
"""The ways in which a partial comes to be."""

some = histories(min_size=1)


# --- one partial ---------------------------------------------------------------------------------


@given(some, ways, st.data())
@example([event(1, None, score=0.0), event(2, None, score=0.8)], sealed, None)
@example([event(1, 1), event(2, 3), event(3, 2), event(4, 3)], sealed, None)
@example([event(1, 1, linear_id="\uffff"), event(2, 1, linear_id="\U0001f468")], sealed, None)
def test_columns_fold_as_one_by_one_in_any_order_of_the_events(history, way, data):
    order = history if data is None else data.draw(st.permutations(history))
    assert read(way(order)) == one_by_one(history)


@given(some, ways)
def test_the_counts_of_what_was_folded_add_up(history, way):
    counted = sum(way(history)["events"].to_pylist())
    assert counted == (0 if way is folded else len(history))


@given(some)
def test_a_partial_holds_the_engagements_of_the_pure_fold(history):
    found = read(sealed(history))
    assert {place: values[0] for place, values in found.items()} == {
        place: fold(group) for place, group in by_place(history).items()
    }


@given(st.lists(any_linear_ids, min_size=1, max_size=8))
def test_of_linear_ids_at_one_instant_the_greatest_is_kept_as_python_compares(ids):
    history = [event(position, 1, linear_id=each) for position, each in enumerate(ids, 1)]
    ((engagement, *_),) = read(sealed(history)).values()
    assert engagement.linear_id == max((each for each in ids if each), default=None)


@given(st.permutations(list(Kind)), st.integers(1, 3))
def test_of_kinds_at_one_instant_the_highest_is_the_last_and_its_latest_position(kinds, times):
    history = [event(position, int(kind)) for position, kind in enumerate(kinds * times, 1)]
    ((engagement, _, last_position, _),) = read(sealed(history)).values()
    assert engagement.last_kind == Kind.QUERY
    assert last_position == max(each.position for each in history if each.kind == Kind.QUERY)


def test_overrides_alone_are_no_interaction():
    history = [event(1, None, score=0.3), event(2, None, at=DAY, score=0.1)]
    expected = Engagement(override_at=NOON + DAY, override=0.1)
    assert read(sealed(history)) == {
        (str(ACCOUNTS[1]), "AI-1"): (expected, 1, None, NOON + 2),
    }


# --- several partials ----------------------------------------------------------------------------


@st.composite
def splits(draw: st.DrawFn) -> tuple[list[EventRow], list[list[EventRow]]]:
    """A history, and its events dealt out to several hands."""
    history = draw(some)
    hands = draw(st.lists(st.integers(0, 3), min_size=len(history), max_size=len(history)))
    parts: dict[int, list[EventRow]] = defaultdict(list)
    for hand, each in zip(hands, history, strict=True):
        parts[hand].append(each)
    return history, draw(st.permutations(list(parts.values())))


@given(splits(), st.data())
def test_partials_join_to_the_fold_of_all_whatever_the_split_and_the_order(split, data):
    history, parts = split
    partials = [data.draw(ways)(part) for part in parts]
    assert read(one_table(joined(partials))) == one_by_one(history)
    while len(partials) > 1:  # two at a time, whichever two
        two = data.draw(st.permutations(partials))
        partials = [one_table(joined(two[:2])), *two[2:]]
    assert read(partials[0]) == one_by_one(history)


@given(splits())
def test_partials_merge_as_engagements_do(split):
    _, parts = split
    found: dict[Place, Engagement] = defaultdict(lambda: NONE)
    for part in parts:
        for place, (engagement, *_) in read(sealed(part)).items():
            found[place] = merge(found[place], engagement)
    assert {
        place: values[0] for place, values in read(one_table(joined([*map(sealed, parts)]))).items()
    } == found


@given(some, st.integers(0, 30))
def test_two_rows_together_are_the_row_of_both_histories(history, cut):
    earlier, later = by_place(history[:cut]), by_place(history[cut:])
    for place in earlier.keys() & later.keys():
        both = [*earlier[place], *later[place]]
        row: Stored = together(fold_stored(earlier[place]), fold_stored(later[place]))
        assert row == fold_stored(both)


@st.composite
def sources(draw: st.DrawFn) -> tuple[list[EventRow], list[Source], list[Source]]:
    """A history whose events are in sources of events and of partials, in pieces cut anywhere."""
    history, parts = draw(splits())
    ways: dict[Callable[[list[EventRow]], pa.Table], list[Source]] = {in_file: [], hot: []}
    for part in parts:
        way = draw(st.sampled_from([*ways]))
        ordered = side_by_side(part)
        cuts = sorted(draw(st.sets(st.integers(1, len(ordered)), max_size=6)) | {0, len(ordered)})
        ways[way].append(iter([way(ordered[begin:end]) for begin, end in pairwise(cuts)]))
    return history, ways[in_file], ways[hot]


@given(sources())
def test_each_engagement_comes_once_and_in_order_whatever_the_boundaries(given_sources):
    history, events, partials = given_sources
    tables = list(merged([*events, iter([])], [iter([]), *partials]))
    places: list[Place] = []
    found: Fold = {}
    for each in tables:
        found |= read(each)
        places += zip(each["account"].to_pylist(), each["issue_id"].to_pylist(), strict=True)
    assert places == sorted(set(places))
    assert found == one_by_one(history)


@given(st.lists(st.sampled_from(Kind), min_size=1, max_size=12), st.integers(1, 3))
def test_an_engagement_that_spans_several_pieces_of_every_source_is_one(kinds, number):
    history = [event(position, int(kind)) for position, kind in enumerate(kinds, 1)]
    parts = [history[start::number] for start in range(number)]
    (whole,) = merged(iter([in_file([each]) for each in part]) for part in parts if part)
    assert read(whole) == one_by_one(history)


def test_no_source_yields_nothing():
    assert list(merged([])) == []
    assert list(merged([iter([])])) == []


def test_sources_are_read_no_further_than_is_needed(monkeypatch):
    """Memory holds a few pieces of each source, regardless of the length of the history."""
    monkeypatch.setattr(columnar_fold, "_ROWS_AT_ONCE", 0)
    asked: list[int] = []

    def source(number: int) -> Source:
        for account in range(50):
            asked.append(number)
            row = event(2 * account + number + 1, 1)._replace(stream=0)
            columns = in_file([row]).to_pydict()
            columns["account"] = [str(UUID(int=account))]
            yield pa.table(columns, SCHEMA)

    for done, _ in enumerate(merged([source(0), source(1)]), 1):
        assert len(asked) <= 2 * (done + 4)


# The score by columns is the score, band and last counted touch of each engagement by itself.


def columns_of(of: list[Engagement]) -> FoldColumns:
    """The engagements as columns; those that no score reads are empty."""
    rows = [dict(zip(VALUE_NAMES, values_of(each), strict=True)) for each in of]
    nothing = np.full(len(rows), NO)

    def column(name: str) -> np.ndarray:
        values = [NO if row[name] is None else row[name] for row in rows]
        return np.array(values, np.float64 if name == "override" else np.int64)

    names = [name for name in rows[0] if name != "linear_id"]
    read = {name: column(name) for name in names}
    rest = dict.fromkeys(("events", "id", "last_position", "scored_at", "linear"), nothing)
    return FoldColumns.of_names(read | rest)


def scored_one_by_one(
    of: list[Engagement], at: Instant, policy: ScoringPolicy
) -> list[tuple[int, int, float]]:
    return [
        (
            band(each, policy),
            NO if (last := of_kinds(each, policy.kinds).last_at) is None else last,
            score(each, at, policy).value,
        )
        for each in of
    ]


def by_columns(
    of: list[Engagement], at: Instant, policy: ScoringPolicy
) -> list[tuple[int, int, float]]:
    found = scores(columns_of(of), np.full(len(of), at), policy)
    return list(zip(*(each.tolist() for each in found), strict=True))


@given(st.lists(engagements(), min_size=1, max_size=20), moments_of_asking, policies())
def test_columns_say_of_each_engagement_what_it_says_itself(found, at, policy):
    assert by_columns(found, at, policy) == scored_one_by_one(found, at, policy)


@pytest.mark.parametrize("override", [0.0, 0.3, 1.0])
@given(count=st.integers(1, 40), at=moments_of_asking)
def test_an_override_in_force_is_the_base(override, count, at):
    touched = touches(Kind.QUERY, count, at)
    overridden = msgspec.structs.replace(touched, override_at=at, override=override)
    both = [touched, overridden]
    assert by_columns(both, at, ScoringPolicy()) == scored_one_by_one(both, at, ScoringPolicy())


def order_of(of: dict[str, Engagement], at: Instant, policy: ScoringPolicy) -> list[str]:
    """The issues in the order of their columns."""
    by_issue = sorted(of)
    rows = order(columns_of([of[issue] for issue in by_issue]), at, policy)
    return [by_issue[row] for row in rows]


@given(engagements_by_issue(min_size=1), moments_of_asking, policies())
def test_columns_rank_as_the_ranking_does(found, at, policy):
    expected = [each.issue_id for each in ranking(found.items(), at, policy)]
    assert order_of(found, at, policy) == expected


FRESH = touches(Kind.QUERY, 1, NOON)
BUSY = touches(Kind.QUERY, 5, NOON - HOUR)


def assert_the_latest_is_pinned_first():
    policy = ScoringPolicy(pin_hours=8.0)
    assert order_of({"AI-1": BUSY, "AI-2": FRESH}, NOON, policy) == ["AI-2", "AI-1"]


def test_the_latest_is_pinned_first():
    assert_the_latest_is_pinned_first()


@given(st.integers(0, 9), st.integers(0, 9))
def test_without_pins_nothing_is_pinned_before_it_occurs_either(busy, fresh):
    found = {
        issue: touches(Kind.QUERY, each.count, Instant(each.idle_since + hours * HOUR))
        for issue, each, hours in (("AI-1", BUSY, busy), ("AI-2", FRESH, fresh))
    }
    assert order_of(found, Instant(NOON - DAY), ScoringPolicy()) == ["AI-1", "AI-2"]


def test_a_pin_that_is_forgotten_is_seen(monkeypatch):
    monkeypatch.setattr(columnar, "pin_ends_at", lambda *_: 0)
    with pytest.raises(AssertionError):
        assert_the_latest_is_pinned_first()
