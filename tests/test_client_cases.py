"""The client's own nineteen cases, each under its name, through both client interfaces."""

import asyncio
import datetime as dt
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ledger.commands import Interaction, interaction_of
from ledger.instants import DAY, moment_of
from projections.application import (
    Engagements,
    EngagementTracker,
    IssueEngagementRepository,
)
from projections.application.testing import NOW, given
from tests.support.strategies import HOUR, NOON, Clock

T = TypeVar("T")

USER = "123456"


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


@pytest.fixture
def engagements(tmp_path: Path, clock: Clock) -> Iterator[Engagements]:
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=clock) as opened:
        yield opened


@pytest.fixture
def tracker(engagements: Engagements) -> EngagementTracker:
    return EngagementTracker(engagements)


@pytest.fixture
def repository(engagements: Engagements) -> IssueEngagementRepository:
    return IssueEngagementRepository(engagements)


def touch(issue_id: str, kind: str = "query", **more: Any) -> Interaction:
    return interaction_of(USER, issue_id, kind, **more)


def track(tracker: EngagementTracker, issue_id: str, *kinds: str, **more: Any) -> None:
    for kind in kinds:
        run(tracker.track_issue_mention(USER, issue_id, kind, **more))


# --- tracking ------------------------------------------------------------------------------------


def test_tracking_creates_a_record(tracker, repository):
    run(
        tracker.track_issue_mention(
            USER, "AI-1799", "query", linear_id="lin-1799", context="what about AI-1799?"
        )
    )
    record = repository.get_engagement(USER, "AI-1799")
    assert record is not None
    assert record.user_id == USER
    assert record.issue_id == "AI-1799"
    assert record.linear_id == "lin-1799"
    assert record.interaction_type == "query"
    assert record.interaction_count == 1
    assert record.context == "what about AI-1799?"
    assert record.first_interaction == record.last_interaction == moment_of(NOON)


def test_a_third_track_makes_the_count_3(tracker, repository):
    track(tracker, "AI-1799", "query", "view", "mention")
    record = repository.get_engagement(USER, "AI-1799")
    assert record is not None
    assert record.interaction_count == 3


def test_an_invalid_type_raises_value_error(tracker, repository):
    with pytest.raises(ValueError, match="Invalid interaction_type"):
        track(tracker, "AI-1799", "invalid")
    assert repository.get_engagement(USER, "AI-1799") is None


# --- scores --------------------------------------------------------------------------------------


def score(tracker: EngagementTracker) -> object:
    return tracker.calculate_engagement_score(USER, "AI-1799")


def test_an_unknown_issue_scores_0_5():
    given().when(score).then(0.5)


def test_one_recent_interaction_scores_above_0_5_and_at_most_1():
    given(touch("AI-1799")).when(score).then(0.68)


def test_five_interactions_score_exactly_1():
    given(*[touch("AI-1799")] * 5).when(score).then(1.0)


@pytest.mark.parametrize(
    ("days", "at_least", "at_most"),
    [(0, 1.0, 1.0), (7, 0.65, 0.75), (14, 0.45, 0.55), (30, 0.15, 0.25), (60, 0.0, 0.1)],
    ids="{}-days".format,
)
def test_recency_decays(tracker, engagements, clock, days, at_least, at_most):
    track(tracker, "AI-1799", "query")
    clock.move(days * DAY)
    recency = engagements.questions.ask(USER, "AI-1799").score.recency
    assert recency is not None
    assert at_least <= recency <= at_most


# --- tops and statistics -------------------------------------------------------------------------


def test_three_queries_are_before_one_among_the_top_engaged():
    given(touch("DMD-480"), *[touch("AI-1799")] * 3).when(
        lambda tracker: tracker.get_top_engaged_issues(USER, limit=10)
    ).then([("AI-1799", 0.84), ("DMD-480", 0.68)])


def statistics(tracker: EngagementTracker) -> object:
    return tracker.get_engagement_stats(USER)


def test_statistics_of_four_interactions_on_three_issues():
    an_hour_later = NOW + dt.timedelta(hours=1)
    given(
        *(touch("AI-1"), touch("AI-1", "view"), touch("AI-2")),
        touch("AI-3", "mention", occurred_at=an_hour_later),
    ).when(statistics).then(
        {
            "total_interactions": 4,
            "unique_issues": 3,
            "avg_interactions_per_issue": 1.33,
            "most_engaged_issues": ["AI-1", "AI-3", "AI-2"],
            "last_interaction": "2026-01-01T13:00:00Z",
        }
    )


def test_statistics_of_an_unknown_user():
    given().when(statistics).then(
        {
            "total_interactions": 0,
            "unique_issues": 0,
            "avg_interactions_per_issue": 0.0,
            "most_engaged_issues": [],
            "last_interaction": None,
        }
    )


# --- the repository ------------------------------------------------------------------------------


def test_a_first_record_has_count_1_and_its_context(repository):
    record = repository.record_interaction(
        *(USER, "AI-1799", "lin-1799", "query", "what about it?"), extra_metadata={"chat": "team"}
    )
    assert record.interaction_count == 1
    assert record.context == "what about it?"
    assert record.extra_metadata == {"chat": "team"}


def test_a_second_record_changes_type_and_context_and_makes_2(repository, clock):
    first = repository.record_interaction(USER, "AI-1799", None, "query", context="the first")
    clock.move(HOUR)
    second = repository.record_interaction(USER, "AI-1799", None, "view", context="the second")
    assert second.id == first.id
    assert second.interaction_type == "view"
    assert second.context == "the second"
    assert second.interaction_count == 2
    assert second.first_interaction == first.first_interaction
    assert second.last_interaction - first.last_interaction == dt.timedelta(hours=1)


def test_all_engagements_of_a_user(repository):
    for issue in ("AI-1", "AI-2", "AI-3"):
        repository.record_interaction(USER, issue, None, "query")
    found = repository.get_all_engagements(USER)
    assert [each.issue_id for each in found] == ["AI-1", "AI-2", "AI-3"]


def test_all_engagements_with_a_minimal_score(repository):
    for issue, score in (("AI-1", 0.3), ("AI-2", 0.7), ("AI-3", 0.9)):
        repository.record_interaction(USER, issue, None, "query")
        repository.update_score(USER, issue, score)
    found = repository.get_all_engagements(USER, min_score=0.7)
    assert [(each.issue_id, each.engagement_score) for each in found] == [
        ("AI-3", 0.9),
        ("AI-2", 0.7),
    ]


def test_a_score_is_updated(repository):
    repository.record_interaction(USER, "AI-1799", None, "query")
    assert repository.update_score(USER, "AI-1799", 0.85).engagement_score == 0.85
    found = repository.get_engagement(USER, "AI-1799")
    assert found is not None
    assert found.engagement_score == 0.85


@pytest.mark.parametrize("score", [1.5, -0.1])
def test_a_score_outside_0_to_1_is_refused(repository, score):
    repository.record_interaction(USER, "AI-1799", None, "query")
    with pytest.raises(ValueError, match=r"must be between 0\.0 and 1\.0"):
        repository.update_score(USER, "AI-1799", score)
    assert repository.get_engagement(USER, "AI-1799").engagement_score == 0.68


def decayed_and_scores(repository: IssueEngagementRepository) -> tuple[int, list[float]]:
    decayed = repository.decay_old_engagements(USER, days_threshold=30, decay_factor=0.1)
    return decayed, [each.engagement_score for each in repository.get_all_engagements(USER)]


def test_0_8_set_and_31_idle_days_give_0_72_and_one_decayed():
    given(touch("AI-1799"), client=IssueEngagementRepository).when(
        lambda repository: repository.update_score(USER, "AI-1799", 0.8)
    ).after(dt.timedelta(days=31)).when(decayed_and_scores).then((1, [0.72]))


def test_two_users_engagements_with_one_issue_are_apart(repository):
    repository.record_interaction("alice", "AI-1799", None, "query", context="of alice")
    repository.record_interaction("alice", "AI-1799", None, "query", context="of alice")
    repository.record_interaction("bob", "AI-1799", None, "view", context="of bob")
    alice, bob = (repository.get_engagement(user, "AI-1799") for user in ("alice", "bob"))
    assert (alice.interaction_count, alice.context) == (2, "of alice")
    assert (bob.interaction_count, bob.context) == (1, "of bob")
    assert alice.id != bob.id


def test_a_context_of_300_characters_is_stored_as_200(repository):
    record = repository.record_interaction(USER, "AI-1799", None, "query", context="x" * 300)
    assert record.context == "x" * 200


# --- and what follows from them ------------------------------------------------------------------


def test_a_recorded_engagement_scores_0_68_after_one_interaction(repository):
    assert repository.record_interaction(USER, "AI-1799", None, "query").engagement_score == 0.68


def test_the_tracker_counts_the_decayed_of_all_users(tracker, repository, clock):
    repository.record_interaction("alice", "AI-1799", None, "query")
    repository.record_interaction("bob", "AI-1799", None, "query")
    clock.move(30 * DAY)
    assert run(tracker.decay_old_engagements()) == 0
    clock.move(DAY)
    assert run(tracker.decay_old_engagements(days=30)) == 2
    assert repository.decay_old_engagements("alice") == 1


@pytest.mark.parametrize("factor", [-0.1, 1.1, float("nan"), 0.2])
def test_a_decay_factor_that_is_not_the_policys_is_refused(repository, factor):
    with pytest.raises(ValueError, match="decay_factor"):
        repository.decay_old_engagements(USER, decay_factor=factor)
