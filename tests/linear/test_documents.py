"""Documents: valid by our schema and by Linear's, and each trap of them is seen."""

import re
from pathlib import Path

import pytest
from graphql import build_schema
from hypothesis import given
from hypothesis import strategies as st

from bot.linear.documents import DOCUMENTS, filter_of, is_identifier, requests_for_many
from bot.linear.schema import OURS, SchemaError, complaints, differences, schema_of
from bot.linear.schema.checks import several_keys_in_or

SHARED = Path(__file__).parents[2].parent / "shared" / "linear"
SCHEMAS = sorted(SHARED.glob("schema-*.graphql.gz"))
OUR_SCHEMA = schema_of(OURS)

needs_shared = pytest.mark.skipif(not SCHEMAS, reason="there is no ../shared/linear")


@pytest.fixture(scope="module", params=SCHEMAS, ids=lambda path: path.name)
def linears(request):
    return schema_of(request.param)


def test_the_documents_fit_our_schema():
    assert complaints(OUR_SCHEMA, DOCUMENTS) == []


@needs_shared
def test_the_documents_fit_linears_schema(linears):
    assert complaints(linears, DOCUMENTS) == []


@needs_shared
def test_our_schema_is_a_part_of_linears(linears):
    assert differences(OUR_SCHEMA, linears) == []


def test_our_schema_holds_nothing_that_no_document_uses():
    used = set(re.findall(r"\w+", " ".join(DOCUMENTS.values())))
    filters = {"and", "or", "number", "in", "team", "key", "eq"}
    for type_ in OUR_SCHEMA.type_map.values():
        if not type_.name.startswith("__"):
            assert set(getattr(type_, "fields", {})) <= used | filters, type_.name


# --- planted faults ------------------------------------------------------------------------------

FILTER = '{or: [{team: {key: {eq: "AI"}}, number: {in: [1]}}]}'
PLANTED = {
    "Cannot query field 'subject'": '{ issue(id: "AI-1") { subject } }',
    "more than one `issue`": '{ a: issue(id: "AI-1") { id } b: issue(id: "AI-2") { id } }',
    "several keys in an entry of `or`": f"{{ issues(filter: {FILTER}) {{ nodes {{ id }} }} }}",
    "more than one `issue` in a request": """
        query { ...One ... on Query { b: issue(id: "AI-2") { id } } }
        fragment One on Query { a: issue(id: "AI-1") { id } }""",
    "Unknown argument 'name'": '{ issue(name: "AI-1") { id } }',
    "Syntax Error": "{ issue(",
}


@pytest.mark.parametrize(("complaint", "document"), PLANTED.items())
def test_a_planted_fault_is_seen(complaint, document):
    (found,) = complaints(OUR_SCHEMA, {"Planted": document})[:1]
    assert found.startswith("Planted: ")
    assert complaint in found


FIELDS = sorted(
    {(name, field) for name, text in DOCUMENTS.items() for field in re.findall(r"\w+", text)}
    & {
        (name, field)
        for name in DOCUMENTS
        for type_ in OUR_SCHEMA.type_map.values()
        for field in getattr(type_, "fields", {})
    }
)
"""Each field of our schema that a document names, with the name of the document."""


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_typo_in_any_field_of_any_document_is_seen(name, field):
    planted = re.sub(rf"(?<!\$)\b{field}\b", f"{field}x", DOCUMENTS[name])
    assert complaints(OUR_SCHEMA, {name: planted})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_trap_in_any_document_is_seen(name):
    first, rest = DOCUMENTS[name].split("{", 1)
    batch = f'{first}{{ a: issue(id: "AI-1") {{ id }} b: issue(id: "AI-2") {{ id }} {rest}'
    two_keys = f"{first}{{ c: issues(filter: {FILTER}) {{ nodes {{ id }} }} {rest}"
    for planted, seen in ((batch, "more than one"), (two_keys, "several keys in an entry")):
        assert any(seen in each for each in complaints(OUR_SCHEMA, {name: planted}))


def test_a_field_that_becomes_deprecated_is_seen():
    text = OURS.read_text().replace("title: String!", 'title: String! @deprecated(reason: "x")')
    found = complaints(build_schema(text), DOCUMENTS)
    assert {each.partition(":")[0] for each in found} == {"Issue", "Issues", "ChangedSince"}
    assert all("Issue.title is deprecated" in each for each in found)


@needs_shared
def test_a_field_that_linear_calls_deprecated_is_seen(linears):
    (found,) = complaints(linears, {"Planted": "{ teams { nodes { private } } }"})
    assert "Team.private is deprecated" in found


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("title: String!", "title: String", "Issue.title"),
        ("  dueDate: TimelessDate\n", "", "Issue.dueDate"),
        ("issue(id: String!)", "issue(id: ID!)", "Query.issue(id)"),
        ("restricted", "other", "TeamVisibility.restricted"),
        ("in: [Float!]", "in: [Int!]", "NumberComparator.in"),
        ("scalar TimelessDate", "type TimelessDate { id: ID }", "TimelessDate"),
    ],
)
def test_a_schema_that_has_become_another_is_told_apart(old, new, where):
    theirs = build_schema(OURS.read_text().replace(old, new), assume_valid=True)
    assert [each.partition(":")[0] for each in differences(OUR_SCHEMA, theirs)] == [where]


@pytest.mark.parametrize("content", [b"", b"type Query {", b"\xff\xfe", b"no schema"])
def test_a_file_without_a_schema_is_refused_by_its_name(tmp_path, content):
    for name in ("schema.graphql", "schema.graphql.gz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SchemaError, match=name):
            schema_of(tmp_path / name)


# --- which requests a set of keys needs ----------------------------------------------------------

teams = st.sampled_from(["AI", "WEB", "4U", "A2B"])
keys = st.builds(lambda team, number: f"{team}-{number}", teams, st.integers(1, 99_999))
key_lists = st.lists(keys, min_size=1, max_size=120, unique=True)


@given(key_lists)
def test_no_entry_of_or_has_several_keys(asked):
    for request in requests_for_many(asked):
        assert not several_keys_in_or(request.variables)


def test_a_filter_with_several_keys_in_an_entry_is_seen():
    planted = {"or": [{"team": {"key": {"eq": "AI"}}, "number": {"in": [1]}}]}
    assert several_keys_in_or(planted)
    assert several_keys_in_or({"filter": {"and": [planted]}})


@given(key_lists)
def test_the_requests_ask_for_each_key_once_and_have_room_for_all(asked):
    requests = requests_for_many(asked)
    assert len(requests) == -(-len(asked) // 50)
    named = [
        f"{entry['and'][0]['team']['key']['eq']}-{number}"
        for request in requests
        for entry in request.variables["filter"]["or"]
        for number in entry["and"][1]["number"]["in"]
    ]
    assert sorted(named) == sorted(asked)
    assert sum(request.variables["first"] for request in requests) == len(asked)


def test_ten_keys_are_one_request_and_each_team_one_entry():
    asked = [f"AI-{number}" for number in range(1, 9)] + ["WEB-7", "WEB-8"]
    (request,) = requests_for_many(asked)
    assert len(request.variables["filter"]["or"]) == 2
    assert filter_of(["AI-2", "AI-1"]) == {
        "or": [{"and": [{"team": {"key": {"eq": "AI"}}}, {"number": {"in": [1, 2]}}]}]
    }


@pytest.mark.parametrize(
    "key", ["AI-0", "ai-1", "AI-1-2", "#12", "AI", "", "ÄI-1", "AI-١", "A-1\n", f"{'A' * 41}-1"]
)
def test_what_can_be_no_identifier_is_not_asked_for(key):
    assert not is_identifier(key)
