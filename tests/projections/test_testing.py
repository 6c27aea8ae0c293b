"""The kit for embedders: its answers are those of a ledger, and its messages say what differs."""

import asyncio
import copy
import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from ledger.commands import Interaction, interaction_of
from ledger.errors import InvalidInteractionError, UnknownEngagementError
from projections.application import Engagements, EngagementTracker, IssueEngagementRepository
from projections.application.testing import NOW, Given, given

DAY = dt.timedelta(days=1)
USERS, ISSUES, KINDS = ("ana", "ben"), ("AI-1", "AI-2", "AI-3"), ("query", "view", "mention")
touched = interaction_of("ana", "AI-1799", "query", occurred_at=NOW - 3 * DAY)


def top_of_ana(tracker: EngagementTracker) -> object:
    return tracker.get_top_engaged_issues("ana")


def refused(tracker: EngagementTracker) -> object:
    return tracker.get_top_engaged_issues("")


async def all_answers(tracker: EngagementTracker) -> list[object]:
    return [
        await tracker.get_top_engaged_issues("ana"),
        await tracker.get_engagement_stats("ana"),
        await tracker.calculate_engagement_score("ben", "AI-1"),
        await tracker.decay_old_engagements(),
    ]


# --- it answers as a ledger does -----------------------------------------------------------------

interactions = st.builds(
    lambda user, issue, kind, days, key: interaction_of(
        user,
        issue,
        kind,
        occurred_at=None if days is None else NOW - days * DAY,
        source_key=key,
    ),
    st.sampled_from(USERS),
    st.sampled_from(ISSUES),
    st.sampled_from(KINDS),
    st.none() | st.integers(0, 120),
    st.sampled_from([None, "1", "2"]),
)


def answers_of_a_file(recorded: list[Interaction], later: dt.timedelta) -> list[object]:
    """The answers of a ledger's file that was closed and opened again."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/ledger.db"
        with Engagements(url, clock=lambda: NOW) as engagements:
            engagements.ledger.record_many(recorded)
        with Engagements(url, clock=lambda: NOW + later) as engagements:
            return asyncio.run(all_answers(EngagementTracker(engagements)))


@for_all(st.lists(interactions, max_size=8), st.integers(0, 100))
def test_its_answers_are_those_of_a_file(recorded, days):
    expected = answers_of_a_file(recorded, days * DAY)
    given(*recorded).after(days * DAY).when(all_answers).then(expected)


def test_an_answer_that_lacks_an_interaction_fails():
    expected = answers_of_a_file([touched, touched], DAY)
    with pytest.raises(AssertionError):
        given(touched).after(DAY).when(all_answers).then(expected)


# --- scenarios -----------------------------------------------------------------------------------


def test_the_clock_stands_still_until_time_passes():
    scenario = given(touched).when(lambda tracker: tracker.engagements.clock())
    scenario.then(NOW)
    scenario.after(DAY).after(DAY).when(lambda tracker: tracker.engagements.clock()).then(
        NOW + 2 * DAY
    )


def test_each_expectation_begins_anew():
    async def once_more(tracker: EngagementTracker) -> int:
        await tracker.track_issue_mention("ana", "AI-1799", "query")
        return (await tracker.get_engagement_stats("ana"))["total_interactions"]

    scenario = given(touched).when(once_more)
    scenario.then(2)
    scenario.then(2)
    scenario.when(once_more).then(3)


def test_actions_get_any_client_of_the_ledger():
    scenario = given(touched, client=IssueEngagementRepository).when(
        lambda repository: repository.update_score("ana", "AI-1799", 0.8)
    )
    scenario.after(31 * DAY).when(
        lambda repository: [each.engagement_score for each in repository.get_top_engaged("ana")]
    ).then([0.72])
    given(client=lambda engagements: [engagements.clock]).when(len).then(1)


def test_an_approximate_value_may_be_expected():
    given(touched).when(lambda tracker: tracker.calculate_engagement_score("ana", "AI-1799")).then(
        pytest.approx(0.596, abs=0.001)
    )


def test_it_can_be_used_within_an_event_loop():
    async def test_of_an_embedder() -> None:
        given(touched).when(top_of_ana).then([("AI-1799", 0.596424785855)])

    asyncio.run(test_of_an_embedder())


def test_no_file_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    given(touched).when(lambda _: len(list(tmp_path.iterdir()))).then(1)
    assert list(tmp_path.iterdir()) == []


# --- what is raised ------------------------------------------------------------------------------


def test_an_expected_error_is_returned():
    error = given().when(refused)
    assert error.then_raises(InvalidInteractionError).field == "user_id"


@pytest.mark.parametrize(
    ("scenario", "error"),
    [
        (given(interaction_of("ana", "AI-1", "view", occurred_at=NOW + 2 * DAY)), "occurred_at"),
        (given().when(refused), "user_id"),
    ],
    ids=["in what is given", "in an earlier action"],
)
def test_an_error_before_the_last_action_is_raised_as_it_is(scenario, error):
    for check in (
        lambda last: last.then(None),
        lambda last: last.then_raises(LookupError),
        lambda last: last.then_raises(InvalidInteractionError),
    ):
        with pytest.raises(InvalidInteractionError, match=error):
            check(scenario.when(lambda _: None))


def test_an_error_of_the_last_action_is_raised_unless_it_is_expected():
    def override(repository: IssueEngagementRepository) -> None:
        repository.update_score("ana", "AI-2", 0.5)

    scenario = given(touched, client=IssueEngagementRepository).when(override)
    with pytest.raises(UnknownEngagementError):
        scenario.then(None)
    with pytest.raises(AssertionError) as failed:
        scenario.then_raises(ValueError)
    assert isinstance(failed.value.__cause__, UnknownEngagementError)


# --- messages ------------------------------------------------------------------------------------


def message_of(scenario: Given[EngagementTracker], expected: object) -> str:
    with pytest.raises(AssertionError) as failed:
        scenario.when(top_of_ana).then(expected)
    return str(failed.value)


def test_a_failure_says_what_was_expected_what_came_and_what_was_given():
    viewed = interaction_of("ben", "AI-2", "view", context="words of ben")
    assert message_of(given(touched, viewed).after(DAY / 2), []) == (
        "expected: []\n"
        "got:      [('AI-1799', 0.596424785855)]\n"
        "at 2026-01-02T00:00:00Z, given\n"
        "  ana query AI-1799 at 2025-12-29T12:00:00Z\n"
        "  ben view AI-2 at 2026-01-01T12:00:00Z"
    )


def test_a_failure_without_interactions_says_so():
    assert message_of(given(), None).endswith("given\n  no interactions")


def test_a_missing_error_is_a_failure_that_says_what_came():
    with pytest.raises(AssertionError, match=r"expected: ValueError\ngot:      \[\]\n"):
        given().when(top_of_ana).then_raises(ValueError)


# --- odd uses are refused where they are written -------------------------------------------------

untyped: Any = given


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: untyped(7), "given takes interactions, which interaction_of makes, not int"),
        (lambda: untyped([touched]), "given takes interactions, .*, not list"),
        (lambda: untyped(now="today"), "now must be a datetime, not str"),
        (lambda: untyped(client=7), "client must be a callable that takes the ledger, not int"),
        (lambda: untyped().after(3), "after takes a timedelta, not int"),
        (lambda: untyped().when(3), "when takes a callable that takes the client, not int"),
        (
            lambda: untyped().when(top_of_ana).then_raises("x"),
            "then_raises takes a type of .*, not str",
        ),
        (
            lambda: untyped().when(top_of_ana).then_raises(ValueError()),
            "a type of .*, not ValueError",
        ),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_at_once(use, message):
    with pytest.raises(TypeError, match=message):
        use()


def test_a_naive_now_is_refused_at_once():
    with pytest.raises(ValueError, match="needs a time zone"):
        given(now=dt.datetime(2026, 1, 1))  # noqa: DTZ001 - that is the fault


@pytest.mark.parametrize("begun", [given(), given().when(top_of_ana).after(DAY)])
@pytest.mark.parametrize("name", ["then", "then_raises"])
def test_an_expectation_without_an_action_says_what_comes_first(begun, name):
    with pytest.raises(AttributeError, match=rf"given\(…\).when\(…\).{name}\(…\)"):
        getattr(begun, name)


def test_other_attributes_are_missing_as_everywhere():
    assert not hasattr(given(), "anything")
    assert copy.copy(given(touched)) == given(touched)
