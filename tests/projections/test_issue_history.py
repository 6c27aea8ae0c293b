"""The history of an issue is a fold of observations; their order of arrival does not matter."""

import datetime as dt
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from ledger.as_of import AsOf
from ledger.events import IssueObserved
from ledger.instants import DAY, Instant
from ledger.observations import BLOCKERS, Person, order_of, said_by
from projections.issue_history import (
    NOTHING,
    IssueAt,
    StateSpan,
    fold,
    is_stagnant,
    issue_at,
    merge,
    state_spans,
    unmoved_days,
    usual_working_days,
    working_days,
)
from tests.support.observations import DAY_ONE, event, events, observation, uuid

several = st.lists(events(), max_size=6)
instants = st.none() | st.integers(DAY_ONE - 1, DAY_ONE + 6).map(Instant)
questions = st.builds(AsOf, instants, instants)
EVER = AsOf()


# --- the laws of the fold ------------------------------------------------------------------------


@given(several, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(found, dice):
    mixed = [*found, *(dice.choice(found) for _ in found)]
    dice.shuffle(mixed)
    assert fold(mixed) == fold(found)


@given(several, several, several)
def test_merging_is_associative_and_commutative_and_folds_all(one, other, third):
    a, b, c = fold(one), fold(other), fold(third)
    assert merge(a, merge(b, c)) == merge(merge(a, b), c) == fold([*one, *other, *third])
    assert merge(a, b) == merge(b, a)
    assert merge(a, NOTHING) == merge(NOTHING, a) == a == merge(a, a)


# --- as of a moment, as known at another ---------------------------------------------------------


def naive(found: list[IssueObserved], as_of: AsOf) -> dict[str, Any] | None:
    """The fields one by one, each by a search for the last description of it."""

    def last(field: str, at: str) -> Any:
        best: tuple[Any, Any] | None = None
        for each in found:
            occurred, known = getattr(each, at), each.recorded_at
            if field not in said_by(each):
                continue
            if as_of.at is not None and occurred > as_of.at:
                continue
            if as_of.known_at is not None and known > as_of.known_at:
                continue
            here = order_of(each, field), said_by(each)[field]
            best = here if best is None or here[0] >= best[0] else best
        return UNSET if best is None else best[1]

    names = (*IssueAt.__struct_fields__, "state")
    skipped = {"issue", "state_type", "state_id"}
    values = {
        name: last(name, "said_at" if name == BLOCKERS else "updated_at")
        for name in names
        if name not in skipped
    }
    if values["state"] is UNSET:
        return None
    values["state_type"], values["state_id"] = values.pop("state")
    return values | {"issue": uuid(1)}


@given(several, questions)
def test_the_issue_is_that_of_a_naive_search(found, as_of):
    issue = issue_at(found, as_of)
    assert (None if issue is None else msgspec.structs.asdict(issue)) == naive(found, as_of)


@given(several, questions, st.randoms(use_true_random=False))
def test_answers_do_not_depend_on_the_order_of_arrival(found, as_of, dice):
    mixed = dice.sample(found, len(found))
    assert issue_at(mixed, as_of) == issue_at(found, as_of)
    assert state_spans(mixed, as_of) == state_spans(found, as_of)


@given(several, questions)
def test_what_was_known_is_what_the_events_of_then_say(found, as_of):
    known = [each for each in found if as_of.sees(0, each.recorded_at)]
    assert issue_at(found, as_of) == issue_at(known, AsOf(as_of.at))
    assert state_spans(found, as_of) == state_spans(known, AsOf(as_of.at))


def test_a_blocker_is_known_from_when_linear_said_it():
    free = event(observation(blockers=(), said_at=DAY_ONE))
    blocked = event(observation(blockers=(uuid(2),), said_at=DAY_ONE + 5))
    again = event(observation(blockers=(), updated_at=DAY_ONE + 9, said_at=DAY_ONE + 9))
    found = [again, blocked, free]
    known = [issue_at(found, AsOf(Instant(DAY_ONE + at))) for at in (0, 4, 5, 8, 9)]
    assert [each and each.blockers for each in known] == [(), (), (uuid(2),), (uuid(2),), ()]


# --- time in each state --------------------------------------------------------------------------


@given(several, questions)
def test_spans_follow_each_other_and_differ(found, as_of):
    spans = state_spans(found, as_of)
    for one, next_ in pairwise(spans):
        assert one.ended_at is not None
        assert one.begun_at < one.ended_at <= next_.begun_at
        is_said = any(each.state_since == next_.begun_at for each in found)
        assert one.ended_at < next_.begun_at or one[:2] != next_[:2] or is_said
    issue = issue_at(found, as_of)
    if issue is not None and not issue.removed:
        assert spans[-1][:2] == (issue.state_type, issue.state_id)
    assert all(each.ended_at is not None for each in spans[:-1])


def test_a_state_that_comes_again_is_another_span_and_a_removal_ends_the_last():
    found = [
        event(observation(state_type=state, updated_at=Instant(DAY_ONE + at)))
        for state, at in (("backlog", 0), ("started", 3), ("backlog", 5), ("started", 6))
    ]
    removed = observation(state_type="started", updated_at=Instant(DAY_ONE + 9), removed=True)
    spans = state_spans([*found, event(removed)], EVER)
    begun = [
        ("backlog", None, DAY_ONE, DAY_ONE + 3),
        ("started", None, DAY_ONE + 3, DAY_ONE + 5),
        ("backlog", None, DAY_ONE + 5, DAY_ONE + 6),
    ]
    assert list(spans) == [*begun, ("started", None, DAY_ONE + 6, DAY_ONE + 9)]
    assert list(state_spans(found, EVER)) == [*begun, ("started", None, DAY_ONE + 6, None)]


def described(*said: tuple[str, int, int | None]) -> list[IssueObserved]:
    """Descriptions of a state at an instant, each with since when it lasts, if that was said."""
    return [
        event(
            observation(
                state_type=state,
                updated_at=Instant(DAY_ONE + at),
                state_since=UNSET if since is None else Instant(DAY_ONE + since),
            )
        )
        for state, at, since in said
    ]


@pytest.mark.parametrize(
    ("said", "spans"),
    [
        ([("started", 9, 2)], [("started", 2, None)]),
        ([("backlog", 1, None), ("started", 9, 2)], [("backlog", 1, 2), ("started", 2, None)]),
        # Said later than the state was first described:
        ([("started", 5, None), ("started", 9, 2)], [("started", 2, None)]),
        (
            [("backlog", 1, None), ("started", 5, None), ("started", 9, 2)],
            [("backlog", 1, 2), ("started", 2, None)],
        ),
        # Left and entered again, which was not described:
        ([("started", 1, 0), ("started", 9, 6)], [("started", 0, 6), ("started", 6, None)]),
        # Against what was described:
        ([("backlog", 4, None), ("started", 9, 2)], [("backlog", 4, 9), ("started", 9, None)]),
        ([("started", 4, 7)], [("started", 4, None)]),
        # By two descriptions of one moment:
        ([("started", 9, 2), ("started", 9, None)], [("started", 2, None)]),
    ],
)
def test_a_state_begins_when_linear_says_so(said, spans):
    for found in (described(*said), described(*said)[::-1]):
        known = state_spans(found, EVER)
        assert known == [
            (state, None, DAY_ONE + begun, None if ended is None else DAY_ONE + ended)
            for state, begun, ended in spans
        ]


# --- stagnation ----------------------------------------------------------------------------------

MONDAY = DAY_ONE


def moved(days: int, **fields: Any) -> IssueObserved:
    return event(observation(updated_at=Instant(MONDAY + days * DAY), **fields))


def stagnant(found: list[IssueObserved], days: int, usual: float = 0.0) -> bool:
    unmoved = unmoved_days(found, EVER, Instant(MONDAY + days * DAY), dt.UTC)
    return unmoved is not None and is_stagnant(unmoved, usual)


def test_a_started_issue_stagnates_after_more_than_five_working_days():
    started = [moved(-9, state_type="backlog"), moved(0)]
    assert [stagnant(started, days) for days in (0, 7, 8, 14)] == [False, False, True, True]
    assert not stagnant(started, 8, usual=6.5)
    assert stagnant(started, 9, usual=6.5)


@pytest.mark.parametrize("state", ["backlog", "completed", "triage"])
def test_no_other_issue_stagnates(state):
    assert not stagnant([moved(0), moved(1, state_type=state)], 90)
    assert not stagnant([moved(0), moved(1, removed=True)], 90)
    assert not stagnant([], 90)


@pytest.mark.parametrize(
    ("actor", "change", "resets"),
    [
        (Person(uuid(200)), {"priority": 2}, True),
        (Person(uuid(200)), {"labels": (uuid(100),)}, False),
        (Person(uuid(200)), {"priority": 1}, False),
        (Person(uuid(200), is_app=True), {"priority": 2}, False),
        (None, {"priority": 2}, False),
        (UNSET, {"priority": 2}, False),
    ],
)
def test_only_a_change_by_a_person_resets_the_clock(actor, change, resets):
    found = [moved(0, priority=1, labels=()), moved(7, actor=actor, **change)]
    assert stagnant(found, 8) != resets


@pytest.mark.parametrize(("is_app", "resets"), [(False, True), (True, False)])
def test_a_comment_of_a_person_resets_the_clock_and_describes_nothing(is_app, resets):
    before, actor = moved(0, priority=1), Person(uuid(200), is_app=is_app)
    comment = moved(7, actor=actor, commented=True, priority=2, removed=True)
    assert stagnant([before, comment], 8) != resets
    assert issue_at([before, comment], EVER) == issue_at([before], EVER)
    assert state_spans([before, comment], EVER) == state_spans([before], EVER)
    assert issue_at([comment], EVER) is None


def test_without_a_webhook_nothing_tells_of_comments_so_the_issue_may_have_moved():
    looked_up = [moved(0, origin="look-up", state_since=MONDAY), moved(40, origin="look-up")]
    assert not stagnant(looked_up, 60)
    heard = moved(50)
    assert unmoved_days([*looked_up, heard], EVER, Instant(MONDAY + 60 * DAY), dt.UTC) == 8


def test_what_is_usual_is_the_85th_percentile_of_finished_times_where_there_are_20():
    def spans(count: int) -> list[StateSpan]:
        ended = [Instant(MONDAY + 7 * weeks * DAY) for weeks in range(1, count + 1)]
        return [StateSpan("started", uuid(1), MONDAY, each) for each in ended]

    state = ("started", uuid(1))
    assert usual_working_days(spans(19), state, dt.UTC) == 0.0
    others = [StateSpan("started", uuid(2), MONDAY, MONDAY), StateSpan(*state, MONDAY, None)]
    assert usual_working_days([*spans(20), *others], state, dt.UTC) == 17 * 5


@given(st.integers(0, 400), st.integers(0, 400))
def test_working_days_are_counted_one_by_one(first, days):
    since = Instant(MONDAY + first * DAY)
    until = Instant(since + days * DAY)
    each = (dt.date(2026, 3, 2) + dt.timedelta(first + day) for day in range(1, days + 1))
    assert working_days(since, until, dt.UTC) == sum(day.weekday() < 5 for day in each)
    assert working_days(until, since, dt.UTC) == 0


def test_accounts_of_people_are_what_the_issue_says():
    found = [moved(0, assignee=Person(uuid(200), "Ana")), moved(1)]
    issue = issue_at(found, EVER)
    assert issue is not None
    assert issue.assignee == UUID(uuid(200))
