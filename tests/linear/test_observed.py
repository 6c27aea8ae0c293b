"""Look-ups become observations; an issue that cannot be one is left out."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from bot.linear.demo.execution import Executed, Executor
from bot.linear.demo.webhooks import issue_body
from bot.linear.demo.workspace import invented
from bot.linear.documents import LISTED, request_for_one
from bot.linear.issue import Issue
from bot.linear.issue_decoding import issue_of
from bot.linear.observed import observation_of
from bot.linear.webhook_issue import checked
from bot.linear.webhook_issue import observation_of as of_webhook
from ledger.instants import instant_of
from ledger.observations import Observation, Person, Text, checked_observation, source_key_of
from tests.linear.test_decoding import OPTIONAL, REQUIRED
from tests.support.command_line import NOON
from tests.support.linear_client_and_server import ClientAndServer, run_with_server
from tests.support.observations import DAY_ONE, uuid
from tests.support.strategies import hostile_texts

NODE: dict[str, Any] = {
    **REQUIRED,
    **OPTIONAL,
    "id": uuid(1),
    "state": {"id": uuid(101), "type": "started", "name": "In Progress"},
    "team": {"key": "AI", "visibility": "public"},
    "assignee": {"id": uuid(200), "displayName": "amara"},
    "cycle": {"id": uuid(102), "number": 14.0, "name": None},
    "project": {"id": uuid(103), "name": "Citations"},
    "labels": {"nodes": [{"id": uuid(105), "name": "bug"}, {"id": uuid(104), "name": "ui"}]},
    "estimate": 3.0,
    "stateHistory": {"nodes": [{"startedAt": "2026-01-01T09:00:00.000Z", "endedAt": None}]},
    "inverseRelations": {
        "nodes": [
            {"type": "related", "issue": {}},
            {
                "type": "blocks",
                "issue": {
                    "id": uuid(2),
                    "identifier": "AI-2",
                    "team": {"key": "AI", "visibility": "public"},
                    "state": {"type": "started"},
                },
            },
        ]
    },
}


def observed(node: dict[str, Any]) -> Observation | None:
    issue = issue_of(node)
    return None if issue is None else observation_of(issue, DAY_ONE)


def test_an_issue_that_was_looked_up_is_observed():
    assert observed(NODE) == Observation(
        issue=uuid(1),
        identifier="AI-1",
        team="AI",
        updated_at=observed(NODE).updated_at,  # type: ignore[union-attr]
        said_at=DAY_ONE,
        state_id=uuid(101),
        state_type="started",
        state_since=instant_of(dt.datetime(2026, 1, 1, 9, tzinfo=dt.UTC)),
        former_identifiers=("DMD-480",),
        priority=2,
        assignee=Person(uuid(200), "amara"),
        due_date=dt.date(2026, 1, 2),
        cycle=uuid(102),
        project=uuid(103),
        labels=(uuid(104), uuid(105)),
        estimate=3.0,
        blockers=(uuid(2),),
        archived=False,
        trashed=True,
        public_team="AI",
        origin="look-up",
        texts=(
            Text(uuid(1), "A title", "https://linear.example/AI-1"),
            Text(uuid(101), "In Progress"),
            Text(uuid(102), "cycle 14"),
            Text(uuid(103), "Citations"),
            Text(uuid(104), "ui"),
            Text(uuid(105), "bug"),
        ),
    )


MAY_BE_UNSAID = {
    "previousIdentifiers": "former_identifiers",
    "priority": "priority",
    "estimate": "estimate",
    "dueDate": "due_date",
    "assignee": "assignee",
    "cycle": "cycle",
    "project": "project",
    "labels": "labels",
    "inverseRelations": "blockers",
    "archivedAt": "archived",
    "trashed": "trashed",
    "stateHistory": "state_since",
}
"""Fields at Linear, and what an observation calls them."""


@pytest.mark.parametrize(("theirs", "ours"), MAY_BE_UNSAID.items())
def test_what_linear_leaves_out_stays_unsaid_and_all_else_is_said(theirs, ours):
    for odd in ({}, {theirs: {"nodes": "odd"}}):
        said = observed({name: each for name, each in NODE.items() if name != theirs} | odd)
        assert said is not None
        unsaid = {each for each in MAY_BE_UNSAID.values() if getattr(said, each) is UNSET}
        assert unsaid == {ours}


def test_what_is_required_alone_says_nothing_else():
    said = observed(REQUIRED | {"id": uuid(1)})
    assert said is not None
    assert (said.state_id, said.texts, said.actor) == (None, (), UNSET)
    assert {getattr(said, each) for each in MAY_BE_UNSAID.values()} == {UNSET}


@pytest.mark.parametrize(
    ("theirs", "ours"), [("labels", "labels"), ("inverseRelations", "blockers")]
)
def test_a_list_of_which_linear_may_have_more_is_not_said(theirs, ours):
    (*_, one) = NODE[theirs]["nodes"]
    full = observed(NODE | {theirs: {"nodes": [one] * LISTED}})
    assert full is not None
    assert getattr(full, ours) is UNSET
    odd = observed(NODE | {theirs: {"nodes": [one, one | {"id": 7, "issue": None}]}})
    assert odd is not None
    assert getattr(odd, ours) is UNSET


def test_a_webhook_and_a_look_up_count_once_where_they_say_the_same():
    """Each says some fields that the other does not: without these they have one key."""
    workspace = invented(NOON)
    executor = Executor(workspace)
    for node in workspace.seen_issues:
        request = request_for_one(node["identifier"])
        answered = executor.execute(request.query, request.variables)
        assert isinstance(answered, Executed)
        looked_up = observed(answered.body["data"]["issue"])
        sent = checked(of_webhook(issue_body(workspace, node)["data"], DAY_ONE))
        assert looked_up is not None
        assert sent is not None
        common = [each for each in MAY_BE_UNSAID.values() if getattr(sent, each) is not UNSET]
        assert {"labels", "priority", "former_identifiers"} <= set(common)
        assert {"blockers", "state_since"}.isdisjoint(common)
        others = dict.fromkeys(set(MAY_BE_UNSAID.values()) - set(common), UNSET)
        bare = msgspec.structs.replace(looked_up, **others, public_team=UNSET)
        assert source_key_of(bare) == source_key_of(sent)
        assert {each.id: each for each in sent.texts}.items() <= (
            {each.id: each for each in looked_up.texts}.items()
        )


def test_an_issue_without_a_uuid_is_not_observed():
    assert observed(REQUIRED) is None


odd_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@given(st.dictionaries(st.sampled_from(sorted(NODE)), odd_values), hostile_texts, hostile_texts)
def test_nothing_that_linear_sends_breaks_an_observation(odd, title, name):
    state = NODE["state"] | {"name": name}
    said = observed(NODE | {"title": title, "state": state} | odd)
    assert said is None or said == checked_observation(said)


def test_the_client_hands_on_what_may_be_seen_each_time_that_it_was_looked_up():
    seen: list[Issue] = []

    async def steps(pair: ClientAndServer) -> None:
        pair.linear._observe = seen.append
        await pair.linear.look_up(["AI-1799", "OPS-3", "AI-9999"])
        await pair.linear.look_up(["AI-1799"])
        assert [each.identifier for each in seen] == ["AI-1799"]
        pair.move(61)
        await pair.linear.look_up(["AI-1799"])
        assert [each.identifier for each in seen] == ["AI-1799", "AI-1799"]
        assert all(observation_of(each, DAY_ONE) for each in seen)

    run_with_server(steps)
