"""Adopting policies: in any order, by any process, and with failures (R10, R14)."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.commands import interaction_of
from ledger.errors import PolicyConflictError
from ledger.instants import DAY, Instant, moment_of
from projections.application import Engagements
from projections.policy import DEFAULT_POLICY, changed
from projections.ranking import ranking
from projections.read_model import queries
from projections.read_model.model import ReadModel
from tests.support.strategies import HOUR, Clock

PINNED = changed(DEFAULT_POLICY, ["pin_hours=8"])
FADING = changed(DEFAULT_POLICY, ["recency_rate_per_day=0.5"])


@contextmanager
def opened(folder: Path, clock: Clock, count: int = 1) -> Iterator[list[Engagements]]:
    """One ledger, opened so many times, as by so many processes."""
    url = f"sqlite:///{folder}/ledger.db"
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Engagements(url, clock=clock))) for _ in range(count)]


def touch(engagements: Engagements, issue: str, kind: str = "query", ago: int = 0) -> None:
    at = moment_of(Instant(_now(engagements) - ago))
    engagements.ledger.record(interaction_of("ana", issue, kind, occurred_at=at))


def _now(engagements: Engagements) -> int:
    clock: Any = engagements.clock
    now: int = clock.at
    return now


# --- another process -----------------------------------------------------------------------------


def test_another_process_asks_and_records_by_what_was_adopted(tmp_path):
    with opened(tmp_path, Clock(), 2) as (one, other):
        for _ in range(3):
            touch(one, "OLD-1", ago=2 * DAY)
        touch(one, "NEW-1", ago=HOUR)
        assert [each.issue_id for each in other.questions.top("ana")] == ["OLD-1", "NEW-1"]
        one.policies.adopt(PINNED, replaces=1)
        assert [each.issue_id for each in other.questions.top("ana")] == ["NEW-1", "OLD-1"]
        touch(other, "NEW-2", "view")
        with other.ledger.database.read() as connection:
            stored = queries.stored_of(connection, "ana", "NEW-2")
            assert stored is not None
            details = queries.details_of(connection, stored)
        assert details.policy_version == 2
        with pytest.raises(PolicyConflictError, match="policy 2 was adopted meanwhile"):
            other.policies.adopt(FADING, replaces=1)
        assert other.maintenance.replay(repair=False, progress=lambda _: None).difference is None


def test_an_adoption_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    whole = ReadModel.fold

    def fail(*arguments: Any) -> None:
        whole(*arguments)
        raise RuntimeError("planted")

    with opened(tmp_path, Clock(), 2) as (one, other):
        touch(one, "AI-1", ago=2 * DAY)
        with monkeypatch.context() as planted:
            planted.setattr(ReadModel, "fold", fail)
            with pytest.raises(RuntimeError, match="planted"):
                one.policies.adopt(PINNED, replaces=1)
        assert one.policies.in_force == DEFAULT_POLICY
        other.policies.adopt(FADING, replaces=1)
        assert one.policies.in_force == other.policies.in_force == FADING
        touch(one, "AI-2")
        assert one.questions.top("ana") == other.questions.top("ana")
        assert one.maintenance.replay(repair=False, progress=lambda _: None).difference is None


# --- any steps in any order -----------------------------------------------------------------------

ISSUES = st.integers(1, 12).map("AI-{}".format)
STEPS: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    st.tuples(
        st.just("record"),
        ISSUES,
        st.sampled_from(["query", "view", "mention"]),
        st.sampled_from([0, HOUR, DAY, 40 * DAY, 100 * DAY]),
    ),
    st.tuples(st.just("override"), ISSUES, st.floats(0, 1)),
    st.tuples(st.just("fold")),
    st.tuples(
        st.just("adopt"),
        st.sampled_from(
            [
                *("pin_hours=8", "pin_hours=0", "kinds=query", "kinds=query,view,mention"),
                *("frequency_per_interaction=0.04", "frequency_per_interaction=0.3"),
                *("recency_weight=0.9", "recency_rate_per_day=0.5", "dormant_after_days=10"),
            ]
        ),
    ),
    st.tuples(st.just("move"), st.sampled_from([0, HOUR, DAY, 50 * DAY])),
)


def do(engagements: Engagements, clock: Clock, step: tuple[Any, ...]) -> None:
    match step:
        case ("record", issue, kind, ago):
            touch(engagements, issue, kind, ago)
        case ("override", issue, value):
            if engagements.questions.ask("ana", issue).engagement.count:
                engagements.adjustments.override("ana", issue, value)
        case ("adopt", assignment):
            in_force = engagements.policies.known_at(None)
            engagements.policies.adopt(changed(in_force.policy, [assignment]), in_force.version)
        case ("move", by):
            clock.move(by)
        case ("fold",):
            engagements.ledger.fold()


@settings(max_examples=settings().max_examples // 4)
@given(st.lists(st.tuples(st.integers(0, 1), STEPS), max_size=25))
def test_in_whatever_order_the_read_model_ranks_as_the_folds_do(steps):
    clock = Clock()
    with TemporaryDirectory() as folder, opened(Path(folder), clock, 2) as both:
        for process, step in steps:
            do(both[process], clock, step)
        for each in both:
            past = each.questions.ranking("ana", at=moment_of(clock.at))
            pairs = [(one.issue_id, one.engagement) for one in past]
            folded = ranking(pairs, clock.at, both[0].policies.in_force)
            for limit in (1, 3, 20):
                assert each.questions.top("ana", limit) == folded[:limit]
        assert both[0].maintenance.replay(repair=False, progress=lambda _: None).difference is None
