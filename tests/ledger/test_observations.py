"""Observations are checked, and recognized when they come again."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from msgspec import UNSET

from ledger.commands import FOREVER
from ledger.errors import InvalidInteractionError
from ledger.instants import Instant
from ledger.observations import (
    LIMIT,
    Observation,
    Person,
    Text,
    checked_observation,
    content_of,
    repeated_key_of,
    source_key_of,
)
from tests.support.observations import DAY_ONE, observation, observations, uuid


@given(observations())
def test_checking_what_is_checked_changes_nothing(said: Observation):
    assert checked_observation(said) == said


@given(observations())
def test_an_observation_is_read_back_from_its_bytes_as_it_was(said: Observation):
    read = msgspec.json.decode(msgspec.json.encode(said), type=Observation)
    assert read == said
    assert content_of(read) == content_of(said)


@given(observations())
def test_the_key_does_not_depend_on_how_when_and_in_which_words_it_was_said(said: Observation):
    again = msgspec.structs.replace(
        said,
        origin="look-up" if said.origin == "webhook" else "webhook",
        said_at=Instant(said.updated_at + 1),
        texts=(),
        **{
            name: Person(person.id, "Another", person.is_app)
            for name in ("assignee", "actor")
            if isinstance(person := getattr(said, name), Person)
        },
    )
    assert source_key_of(again) == source_key_of(said)
    assert repeated_key_of(said, DAY_ONE) != repeated_key_of(said, Instant(DAY_ONE + 1))


@given(observations(), observations())
def test_observations_that_say_different_things_have_different_keys(
    one: Observation, other: Observation
):
    assert (source_key_of(one) == source_key_of(other)) == (content_of(one) == content_of(other))


def test_an_observation_is_brought_into_its_canonical_form():
    said = observation(
        7,
        issue=uuid(7).upper(),
        identifier="ai-7",
        team="ai",
        labels=(uuid(102), uuid(101), uuid(102)),
        former_identifiers=("old-2", "OLD-1"),
        estimate=3,
        assignee=Person(uuid(200).upper(), "  Ana\nB. "),
        texts=(Text(uuid(7), " A\ttitle\0 ", "https://linear.app/x"), Text(uuid(101), "\n")),
    )
    assert (said.issue, said.identifier, said.team) == (uuid(7), "AI-7", "AI")
    assert said.labels == (uuid(101), uuid(102))
    assert said.former_identifiers == ("OLD-1", "OLD-2")
    assert said.estimate == 3.0
    assert said.assignee == Person(uuid(200), "Ana B.")
    assert said.people == (said.assignee,)
    assert said.people[0].user_id == f"linear:{uuid(200)}"
    assert said.texts == (Text(uuid(7), "A title", "https://linear.app/x"),)
    assert said.cycle is UNSET


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a b", "https://" + "a" * 501, ""])
def test_an_address_that_cannot_be_shown_is_left_out(url: str):
    said = observation(1, texts=(Text(uuid(1), "Title", url),))
    assert said.texts == (Text(uuid(1), "Title"),)


def test_texts_may_name_all_that_the_observation_names():
    named = {"state_id": 1, "cycle": 2, "project": 3}
    texts = tuple(Text(uuid(number), "text") for number in (1, 2, 3, 4, 5, 9))
    said = observation(
        9,
        **{field: uuid(number) for field, number in named.items()},
        labels=(uuid(4),),
        blockers=(uuid(5),),
        texts=texts,
    )
    assert said.texts == texts


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("issue", "AI-1"),
        ("issue", 7),
        ("identifier", "Ana Lopes"),
        ("team", "Ana's"),
        ("state_id", "in progress"),
        ("state_type", "In Progress"),
        ("former_identifiers", ("was Ana's",)),
        ("priority", 5),
        ("priority", True),
        ("priority", -1),
        ("assignee", Person("ana@example.com")),
        ("actor", Person("")),
        ("cycle", "Cycle 7"),
        ("project", "Apollo"),
        ("labels", ("bug",)),
        ("labels", tuple(map(uuid, range(LIMIT + 1)))),
        ("estimate", float("nan")),
        ("estimate", float("inf")),
        ("estimate", -1.0),
        ("blockers", ("AI-2",)),
        ("updated_at", Instant(0)),
        ("updated_at", FOREVER + 1),
        ("said_at", Instant(0)),
        ("said_at", 2**63),
        ("texts", (Text("title", "Title"),)),
        ("texts", (Text(uuid(200), "Ana"),)),  # which would not be forgotten with the person
    ],
)
def test_an_invalid_field_is_refused_by_its_name(field: str, value: object):
    with pytest.raises(InvalidInteractionError) as refused:
        observation(1, **{"assignee": Person(uuid(200)), field: value})
    assert refused.value.field == field


_NAMELESS: Any = 7
_HALF = "\ud800"
_PERSON, _TEXT = Person(uuid(1), _NAMELESS), Text(uuid(1), _NAMELESS)
ODD = [7, 1.5, 10**400, True, "", _HALF, UNSET, object(), (_HALF,), (7,), _PERSON, (_TEXT,)]


@pytest.mark.parametrize("field", Observation.__struct_fields__)
def test_a_value_of_another_type_is_refused_or_the_observation_can_be_read_back(field: str):
    for value in ODD:
        with suppress(InvalidInteractionError):
            said = observation(1, **{field: value})
            assert msgspec.json.decode(msgspec.json.encode(said), type=Observation) == said
