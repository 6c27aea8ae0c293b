"""Codes in comments: only their author's own words count, and nothing else is read of them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.linear.link_attempts import AT_MOST, AUTHORS, HOUR, Attempt, Attempts, attempt_in
from bot.linear.webhooks import meaning_of
from ledger.instants import Instant
from ledger.links import LENGTH, LETTERS, code_in
from ledger.observations import Observation, Person
from tests.support.observations import uuid
from tests.support.strategies import NOON

CODE = "link-" + (LETTERS * 2)[:LENGTH]
OTHER = "link-" + (LETTERS * 2)[-LENGTH:]
MIRA = {"id": uuid(9), "name": "Mira Canary", "type": "user"}


def comment(body: str = CODE, action: str = "create", **fields: Any) -> bytes:
    """A webhook of a comment by Mira; fields of None are left out."""
    data = {
        "body": body,
        "userId": MIRA["id"],
        "createdAt": "2026-01-01T12:00:00.000Z",
        "issue": {"id": uuid(1), "identifier": "AI-1", "team": {"key": "AI"}},
    }
    common = {"type": "Comment", "action": action, "webhookTimestamp": NOON // 1000, "actor": MIRA}
    data |= fields.pop("data", {})
    said = common | fields | {"data": {name: x for name, x in data.items() if x is not None}}
    return json.dumps({name: x for name, x in said.items() if x is not None}).encode()


def attempted(body: bytes) -> Attempt | None:
    said = meaning_of(body, NOON)
    return attempt_in(body, said) if isinstance(said, Observation) else None


@pytest.mark.parametrize("text", [CODE, f"it is {CODE}.", f"`{CODE}`", f"**{CODE}**", CODE.title()])
def test_the_code_of_a_comment_is_tried_for_its_author(text):
    assert attempted(comment(text)) == Attempt(CODE, Person(uuid(9), "Mira Canary"), NOON)


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_code_is_found_wherever_it_stands_alone(before, after):
    assert code_in(f"{before} {CODE} {after}") == CODE


@pytest.mark.parametrize("text", ["", "link-", CODE[:-1], f"{CODE}a", f"x{CODE}", f"hy-{CODE}"])
def test_what_is_no_code_is_not_tried(text):
    assert attempted(comment(text)) is None


def test_one_comment_is_one_attempt():
    found = attempted(comment(f"{OTHER} {CODE}"))
    assert found is not None
    assert found.code == OTHER


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "update"},
        {"action": "remove"},
        {"actor": None},
        {"actor": MIRA | {"id": uuid(8)}},
        {"actor": MIRA | {"type": "OauthClient"}},
        {"actor": MIRA | {"type": "integration"}},
        {"data": {"userId": None}},
        {"data": {"userId": uuid(8)}},
        {"data": {"userId": "no UUID"}},
        {"data": {"botActor": {"type": "x"}}},
        {"data": {"issue": None}},
        {"data": {"body": None}},
        {"data": {"body": 5}},
        {"type": "Reaction"},
    ],
)
def test_no_edit_app_guest_or_other_author_links_a_user(fields):
    assert attempted(comment(**fields)) is None


def test_a_date_that_its_author_may_choose_decides_nothing():
    early = attempted(comment(data={"createdAt": "2020-01-01T12:00:00.000Z"}))
    assert early is not None
    assert early.said_at == NOON


# --- how often -----------------------------------------------------------------------------------


def test_an_author_may_try_a_few_times_an_hour_and_others_are_not_held_up():
    attempts = Attempts()
    tries = [attempts.may_try("a", NOON) for _ in range(AT_MOST + 2)]
    assert tries == [*[True] * AT_MOST, False, False]
    assert attempts.may_try("b", NOON)
    assert not attempts.may_try("a", Instant(NOON + HOUR - 1))
    assert attempts.may_try("a", Instant(NOON + HOUR))


@given(st.lists(st.tuples(st.integers(0, 2 * AUTHORS), st.integers(0, 3 * HOUR)), max_size=50))
def test_few_authors_are_remembered(tries):
    attempts = Attempts()
    for number in range(AUTHORS + 5):
        attempts.may_try(str(number), NOON)
    for author, later in tries:
        attempts.may_try(str(author), Instant(NOON + later))
    assert len(attempts._counted) <= AUTHORS
