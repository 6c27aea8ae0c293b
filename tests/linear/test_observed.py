"""Look-ups become observations; an issue that cannot be one is left out."""

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from bot.linear.decoding import issue_of
from bot.linear.issue import Issue
from bot.linear.observed import observation_of
from ledger.observations import Observation, Person, Text, checked_observation
from tests.linear.test_decoding import OPTIONAL, REQUIRED
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
        former_identifiers=("DMD-480",),
        priority=2,
        assignee=Person(uuid(200), "amara"),
        due_date=dt.date(2026, 1, 2),
        archived=False,
        trashed=True,
        public_team="AI",
        origin="look-up",
        texts=(
            Text(uuid(1), "A title", "https://linear.example/AI-1"),
            Text(uuid(101), "In Progress"),
        ),
    )


def test_what_a_look_up_does_not_ask_for_stays_unsaid():
    said = observed(REQUIRED | {"id": uuid(1)})
    assert said is not None
    assert (said.assignee, said.state_id, said.texts) == (None, None, ())
    unsaid = (said.labels, said.estimate, said.blockers, said.cycle, said.project, said.actor)
    assert unsaid == (UNSET,) * 6


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
