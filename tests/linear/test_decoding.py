"""Decoding: only what is required is required, and nothing that comes can break it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.linear.decoding import (
    Data,
    Failed,
    NotFound,
    Reason,
    Response,
    said,
    setup_of,
)
from bot.linear.issue import may_be_shown, shown
from bot.linear.issue_decoding import issue_of, issues_in
from tests.support.strategies import hostile_texts

REQUIRED = {
    "id": "5f8e",
    "identifier": "AI-1",
    "updatedAt": "2026-01-01T12:00:00.000Z",
    "state": {"type": "started", "name": "In Progress"},
    "team": {"key": "AI"},
}
OPTIONAL = {
    "title": "A title",
    "url": "https://linear.example/AI-1",
    "previousIdentifiers": ["DMD-480"],
    "priority": 2,
    "dueDate": "2026-01-02",
    "assignee": {"id": "1", "displayName": "amara"},
    "archivedAt": None,
    "trashed": True,
    "branchName": "amara/ai-1-a-title",
    "cycle": {"number": 14.0, "name": None},
    "stateHistory": {"nodes": []},
    "inverseRelations": {"nodes": []},
}

json_values = st.recursive(
    st.just("\ud83d")
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | hostile_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def answered(body: object, status: int = 200) -> Any:
    return said(Response(status, {}, json.dumps(body).encode()))


def test_an_issue_is_read_whole():
    issue = issue_of(REQUIRED | OPTIONAL)
    assert issue is not None
    assert (issue.title, issue.priority, issue.assignee) == ("A title", 2, "amara")
    assert (issue.is_called("DMD-480"), issue.is_called("AI-1"), issue.is_called("X-1")) == (
        (True, True, False)
    )
    assert (str(issue.due_date), issue.trashed, issue.archived) == ("2026-01-02", True, False)


@given(st.sampled_from(sorted(REQUIRED)), json_values)
def test_without_what_is_required_there_is_no_issue(name, value):
    without = {key: each for key, each in REQUIRED.items() if key != name}
    assert issue_of(without) is None
    if not isinstance(value, dict | str):
        assert issue_of(REQUIRED | {name: value}) is None


@given(st.dictionaries(st.sampled_from(sorted(OPTIONAL)), json_values), json_values)
def test_whatever_else_comes_or_is_absent_an_issue_is_read(others, extra):
    issue = issue_of({**others, "boardOrder": extra, "botActor": extra, **REQUIRED})
    assert issue is not None
    assert issue.identifier == "AI-1"
    assert 0 <= issue.priority <= 4
    assert isinstance(issue.title, str)


@given(json_values)
def test_what_is_no_issue_is_none(value):
    assert issue_of(value) is None
    assert issues_in([value, REQUIRED])[0].identifier == "AI-1"
    assert issues_in(value) == []


@given(json_values)
def test_a_visibility_that_cannot_be_read_shows_nothing(value):
    issue = issue_of(REQUIRED | {"team": {"key": "AI", "visibility": value}})
    assert issue is not None
    assert may_be_shown(issue.team) is (value == "public")


@pytest.mark.parametrize("visibility", ["private", "restricted", "Public", "", None])
def test_an_issue_of_a_team_that_is_not_public_is_answered_as_none_is(visibility):
    hidden = issue_of(REQUIRED | {"team": {"key": "AI", "visibility": visibility}})
    assert shown(hidden) is shown(None) is None
    assert shown(hidden, ["AI"]) == hidden
    public = issue_of(REQUIRED | {"team": {"key": "AI", "visibility": "public"}})
    assert shown(public) == public
    assert shown(public, ["WEB"]) is None


def relation(**changed: object) -> dict[str, Any]:
    blocking = {**REQUIRED, "identifier": "AI-2", "archivedAt": None, "trashed": None}
    return {"type": "blocks", "issue": blocking | changed}


def test_what_is_unfinished_and_blocks_is_a_blocker():
    nodes = [
        relation(),
        relation(identifier="AI-3", state={"type": "completed"}),
        relation(identifier="AI-4", archivedAt="2026-01-01T12:00:00.000Z"),
        relation(identifier="AI-5", trashed=True),
        relation(identifier="AI-6") | {"type": "related"},
        relation(identifier=None),
        None,
    ]
    issue = issue_of(REQUIRED | {"inverseRelations": {"nodes": nodes}})
    assert issue is not None
    assert [each.identifier for each in issue.blockers] == ["AI-2"]


def test_the_state_began_where_the_span_without_an_end_did():
    spans = [
        {"startedAt": "2026-01-01T12:00:00.000Z", "endedAt": "2026-01-02T12:00:00.000Z"},
        {"startedAt": "yesterday"},
        {"startedAt": "2026-01-02T12:00:00.000Z", "endedAt": None},
    ]
    for nodes, day in ((spans, 2), (spans[:2], None)):
        issue = issue_of(REQUIRED | {"stateHistory": {"nodes": nodes}})
        assert issue is not None
        assert (issue.in_state_since and issue.in_state_since.day) == day


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1, "5", None])
def test_a_cycle_without_a_number_is_none(number):
    issue = issue_of(REQUIRED | {"cycle": {"number": number}})
    assert issue is not None
    assert issue.cycle is None


# --- answers -------------------------------------------------------------------------------------

NOT_FOUND = {
    "message": "Entity not found: Issue",
    "path": ["issue"],
    "extensions": {"type": "invalid input", "code": "INPUT_ERROR", "statusCode": 400},
}


def test_not_found_is_known_by_its_code_and_words():
    assert answered({"data": None, "errors": [NOT_FOUND]}) == NotFound()
    assert answered({"errors": [NOT_FOUND]}, 400) == NotFound()
    without_code = {"message": "Entity not found: Issue - Could not find referenced Issue."}
    assert answered({"data": None, "errors": [without_code]}) == NotFound()
    other_code = NOT_FOUND | {"extensions": {"code": "INTERNAL_SERVER_ERROR"}}
    assert answered({"data": None, "errors": [other_code]}) == Failed(Reason.REFUSED)
    assert answered({"data": None, "errors": [NOT_FOUND | {"message": "Too complex"}]}) == (
        Failed(Reason.REFUSED)
    )
    assert answered({"data": None, "errors": [NOT_FOUND, {"message": "x"}]}) == (
        Failed(Reason.REFUSED)
    )


def test_data_is_taken_beside_errors():
    assert answered({"data": {"issue": 1}, "errors": [NOT_FOUND]}) == Data({"issue": 1})


@pytest.mark.parametrize("status", [200, 400, 429])
def test_a_limit_is_known_by_its_code(status):
    errors = [{"message": "x", "extensions": {"code": "RATELIMITED"}}]
    assert answered({"errors": errors}, status) == Failed(Reason.LIMITED)


@given(json_values | st.fixed_dictionaries({"data": json_values, "errors": json_values}))
def test_any_json_is_an_answer_or_a_failure(body):
    assert isinstance(answered(body), Data | NotFound | Failed)


@given(st.binary(max_size=40), st.sampled_from([200, 204, 301, 400, 401, 404, 500, 503]))
def test_any_bytes_are_an_answer_or_a_failure(body, status):
    assert isinstance(said(Response(status, {}, body)), Data | NotFound | Failed)


def test_half_a_surrogate_pair_in_a_title_spoils_no_answer():
    node = json.dumps(REQUIRED | {"title": "cut \ud83d"})
    answer = said(Response(200, {}, b'{"data": {"issue": ' + node.encode() + b"}}"))
    assert isinstance(answer, Data)
    issue = issue_of(answer.value["issue"])
    assert issue is not None
    assert issue.title == "cut ?"


def test_brackets_without_end_are_unreadable():
    assert said(Response(200, {}, b"[" * 100_000)) == Failed(Reason.UNREADABLE)


@given(json_values)
def test_any_setup_is_read_or_none(value):
    for data in ({"viewer": value}, {"viewer": {}, "teams": value}):
        found = setup_of(data)
        assert found is None or isinstance(found.person, str)
