"""The score by columns is the score, band and last counted touch of each engagement by itself."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.instants import DAY, Instant
from projections import columnar
from projections.columnar import NO, FoldColumns, order, scores
from projections.engagement import Engagement, of_kinds
from projections.policy import ScoringPolicy
from projections.ranking import band, ranking
from projections.scoring import score
from tests.support.strategies import (
    HOUR,
    NOON,
    engagements,
    engagements_by_issue,
    moments_of_asking,
    policies,
)


def columns_of(of: list[Engagement]) -> FoldColumns:
    """The engagements as columns; those that no score reads are empty."""
    rows = [msgspec.structs.asdict(each) for each in of]
    nothing = np.full(len(rows), NO)

    def column(name: str) -> np.ndarray:
        values = [NO if row[name] is None else row[name] for row in rows]
        return np.array(values, np.float64 if name == "override" else np.int64)

    names = [name for name in rows[0] if name != "linear_id"]
    read = {name: column(name) for name in names}
    rest = dict.fromkeys(("events", "id", "last_position", "scored_at", "linear"), nothing)
    return FoldColumns(**read, **rest)


def one_by_one(
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
    assert by_columns(found, at, policy) == one_by_one(found, at, policy)


@pytest.mark.parametrize("override", [0.0, 0.3, 1.0])
@given(count=st.integers(1, 40), at=moments_of_asking)
def test_an_override_in_force_is_the_base(override, count, at):
    touched = Engagement(queries=count, first_at=at, queried_at=at)
    overridden = msgspec.structs.replace(touched, override_at=at, override=override)
    both = [touched, overridden]
    assert by_columns(both, at, ScoringPolicy()) == one_by_one(both, at, ScoringPolicy())


def order_of(of: dict[str, Engagement], at: Instant, policy: ScoringPolicy) -> list[str]:
    """The issues in the order of their columns."""
    by_issue = sorted(of)
    rows = order(columns_of([of[issue] for issue in by_issue]), at, policy)
    return [by_issue[row] for row in rows]


@given(engagements_by_issue(min_size=1), moments_of_asking, policies())
def test_columns_rank_as_the_ranking_does(found, at, policy):
    expected = [each.issue_id for each in ranking(found.items(), at, policy)]
    assert order_of(found, at, policy) == expected


FRESH = Engagement(queries=1, first_at=NOON, queried_at=NOON)
BUSY = Engagement(queries=5, first_at=NOON - HOUR, queried_at=NOON - HOUR)


def assert_the_latest_is_pinned_first():
    policy = ScoringPolicy(pin_hours=8.0)
    assert order_of({"AI-1": BUSY, "AI-2": FRESH}, NOON, policy) == ["AI-2", "AI-1"]


def test_the_latest_is_pinned_first():
    assert_the_latest_is_pinned_first()


@given(st.integers(0, 9), st.integers(0, 9))
def test_without_pins_nothing_is_pinned_before_it_occurs_either(busy, fresh):
    found = {
        issue: msgspec.structs.replace(each, queried_at=each.queried_at + hours * HOUR)
        for issue, each, hours in (("AI-1", BUSY, busy), ("AI-2", FRESH, fresh))
    }
    assert order_of(found, Instant(NOON - DAY), ScoringPolicy()) == ["AI-1", "AI-2"]


def test_a_pin_that_is_forgotten_is_seen(monkeypatch):
    monkeypatch.setattr(columnar, "pin_ends_at", lambda *_: 0)
    with pytest.raises(AssertionError):
        assert_the_latest_is_pinned_first()
