"""The local Linear is as strict, and as surprising, as Linear is."""

from typing import Any

import httpx
import pytest

from bot.linear.client import Connection
from bot.linear.decoding import Response
from bot.linear.demo import KEY
from bot.linear.documents import Request
from bot.settings import Secret
from tests.support.linear_client_and_server import ClientAndServer, run_with_server, workspace

CARD = "id identifier"
ONE = f"query Issue($id: String!) {{ issue(id: $id) {{ {CARD} }} }}"
MANY = f"""
query Issues($filter: IssueFilter, $first: Int) {{
  issues(filter: $filter, first: $first, includeArchived: true) {{ nodes {{ {CARD} }} }}
}}"""


def asked(query: str, key: str = KEY, **variables: Any) -> httpx.Response:
    """The answer of the server, at the start of its quota."""

    async def steps(pair: ClientAndServer) -> httpx.Response:
        return await post(pair, query, key, **variables)

    answer: httpx.Response = run_with_server(steps)
    return answer


async def post(
    pair: ClientAndServer, query: str, key: str = KEY, **variables: Any
) -> httpx.Response:
    connection = Connection(pair.local.url, Secret(key))
    answer = await connection.send(Request(query, variables))
    await connection.close()
    assert isinstance(answer, Response)
    return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


def identifiers(answer: httpx.Response) -> list[str]:
    return sorted(node["identifier"] for node in answer.json()["data"]["issues"]["nodes"])


def code_of(answer: httpx.Response) -> str:
    (error,) = answer.json()["errors"]
    return str(error["extensions"]["code"])


@pytest.mark.parametrize("name", ["AI-1803", "ai-1803", "DMD-480", "dmd-480"])
def test_an_issue_answers_to_its_identifier_and_to_former_ones_in_either_case(name):
    assert asked(ONE, id=name).json()["data"]["issue"]["identifier"] == "AI-1803"


def test_an_issue_answers_to_its_uuid():
    uuid = workspace().issues[0]["id"]
    assert asked(ONE, id=uuid).json()["data"]["issue"]["id"] == uuid


@pytest.mark.parametrize("name", ["AI-9999", "LAW-1", "nothing", "1f8e9c2a"])
def test_what_is_not_there_or_may_not_be_read_has_the_same_error(name):
    answer = asked(ONE, id=name)
    assert answer.status_code == 200
    assert answer.json() == {
        "data": None,
        "errors": [
            {
                "message": "Entity not found: Issue",
                "path": ["issue"],
                "extensions": {
                    "type": "invalid input",
                    "code": "INPUT_ERROR",
                    "statusCode": 400,
                    "userError": True,
                    "userPresentableMessage": "Could not find referenced Issue.",
                },
            }
        ],
    }


def test_one_unknown_id_among_aliases_empties_the_whole_answer():
    answer = asked('{ a: issue(id: "AI-1799") { id } b: issue(id: "AI-9999") { id } }')
    assert answer.status_code == 200
    assert answer.json()["data"] is None
    assert answer.json()["errors"][0]["path"] == ["b"]


AI_1799: list[dict[str, Any]] = [{"team": {"key": {"eq": "AI"}}}, {"number": {"in": [1799]}}]


def test_several_keys_in_an_entry_of_or_are_alternatives():
    trap = {"or": [AI_1799[0] | AI_1799[1]]}
    assert identifiers(asked(MANY, filter=trap)) == [f"AI-{n}" for n in range(1799, 1805)]
    assert identifiers(asked(MANY, filter={"or": [{"and": AI_1799}]})) == ["AI-1799"]
    assert identifiers(asked(MANY, filter=AI_1799[0] | AI_1799[1])) == ["AI-1799"]


def test_unknown_and_hidden_issues_are_absent_from_a_batch():
    numbers = {"number": {"in": [1, 3, 7, 9999]}}
    assert identifiers(asked(MANY, filter=numbers)) == ["OPS-3", "WEB-7"]


def test_archived_issues_are_left_out_unless_they_are_asked_for():
    answer = asked("{ issues { nodes { identifier } } }")
    assert "AI-1804" not in identifiers(answer)
    assert "AI-1804" in identifiers(asked(MANY))


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ issue(", {}),
        ("{ issue(id: 5) { id } }", {}),
        ("{ issue { id } }", {}),
        ('{ issue(id: "AI-1799") { subject } }', {}),
        ("{ secrets }", {}),
        (MANY, {"filter": {"number": None}}),
        (MANY, {"filter": {"or": [{"team": {"key": {"eq": None}}}]}}),
        (MANY, {"first": 251}),
        ("query($f: Int) { teams(first: $f) { nodes { id } } }", {"f": "x"}),
    ],
)
def test_what_the_schema_does_not_allow_is_refused(query, variables):
    answer = asked(query, **variables)
    assert answer.json().get("data") is None
    assert answer.json()["errors"]
    assert answer.status_code == 400 or "f" in variables


def test_a_document_that_costs_too_much_is_refused():
    deep = "{ issues(first: 250) { nodes { " + " ".join(f"a{n}: title" for n in range(400))
    assert code_of(asked(deep + " } } }")) == "INPUT_ERROR"


@pytest.mark.parametrize(
    ("query", "variables", "points"),
    [
        ('{ issue(id: "AI-1799") { id title } }', {}, 2),  # 1.2
        ("{ issues { nodes { id } } }", {}, 105),  # 50 * (1 + 1 + 0.1)
        ("{ issues(first: 10) { nodes { id } } }", {}, 21),
        (MANY, {"first": 3}, 7),  # 3 * 2.2
    ],
)
def test_the_complexity_is_said(query, variables, points):
    answer = asked(query, **variables)
    assert answer.headers["X-Complexity"] == str(points)
    left = int(answer.headers["X-RateLimit-Complexity-Remaining"])
    assert left == 3_000_000 - points


@pytest.mark.parametrize("key", ["", "lin_api_of_another", f"Bearer {KEY}"])
def test_another_key_is_refused(key):
    answer = asked(ONE, key, id="AI-1799")
    assert (answer.status_code, code_of(answer)) == (401, "AUTHENTICATION_ERROR")


def test_a_used_up_quota_is_an_error_400_with_a_reset_in_milliseconds():
    async def steps(pair: ClientAndServer) -> None:
        pair.local.limits.requests = 1
        first, second = [await post(pair, ONE, id="AI-1799") for _ in range(2)]
        assert (first.status_code, first.headers["X-RateLimit-Requests-Remaining"]) == (200, "0")
        assert (second.status_code, code_of(second)) == (400, "RATELIMITED")
        reset = int(second.headers["X-RateLimit-Requests-Reset"])
        assert reset == int(pair.clock().timestamp() * 1_000) + 3_600_000
        pair.move(3_600)
        assert (await post(pair, ONE, id="AI-1799")).status_code == 200

    run_with_server(steps)


def test_what_is_no_request_is_refused():
    async def steps(pair: ClientAndServer) -> None:
        async with httpx.AsyncClient(trust_env=False, headers={"Authorization": KEY}) as client:
            for body in (
                b"",
                b"[]",
                b"{}",
                b"\xff",
                b"5",
                b'{"query": "{ viewer { id } }", "variables": 5}',
            ):
                assert (await client.post(pair.local.url, content=body)).status_code == 400

    run_with_server(steps)
