"""The meaning of webhooks: signatures, ages, and every field, missing and odd ones, too."""

import datetime as dt
import hmac
import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from bot.linear.webhooks import (
    ACCEPTED_FOR,
    AHEAD_AT_MOST,
    UNOBSERVED,
    Nothing,
    Problem,
    is_signed,
    may_be_signature,
    meaning_of,
    signature_of,
)
from ledger.instants import Instant, instant_of
from ledger.observations import Observation, Person, Text, checked_observation
from tests.support.observations import uuid

NOW = instant_of(dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC))
SECRET = "lin_wh_canary_secret"  # noqa: S105 - guards nothing

ISSUE = {
    "id": uuid(1),
    "identifier": "AI-1799",
    "updatedAt": "2026-03-02T11:59:59.123Z",
    "state": {"id": uuid(2), "name": "Canary state", "type": "started", "color": "#fff"},
    "team": {"id": uuid(3), "key": "AI", "name": "Canary team"},
}
FULL = ISSUE | {
    "previousIdentifiers": ["DMD-480"],
    "title": "Canary title",
    "url": "https://linear.app/x/issue/AI-1799",
    "priority": 2,
    "assignee": {"id": uuid(4), "name": "Canary Ben", "email": "canary@example.org"},
    "assigneeId": uuid(4),
    "dueDate": "2026-03-09",
    "cycle": {"id": uuid(5), "number": 7, "name": "Canary cycle"},
    "project": {"id": uuid(6), "name": "Canary project"},
    "labels": [{"id": uuid(7), "name": "Canary label", "color": "#000"}],
    "estimate": 3,
    "archivedAt": "2026-03-02T11:59:59.123Z",
    "trashed": True,
    "botActor": {"id": uuid(8), "type": "x"},
    "boardOrder": 12,
    "description": "canary",
}
ACTOR = {"id": uuid(9), "name": "Canary Ana", "type": "user"}


def webhook(stamp: Instant = NOW, **fields: Any) -> bytes:
    common = {"type": "Issue", "action": "update", "webhookTimestamp": stamp // 1_000}
    return json.dumps(common | fields).encode()


def said(data: Any = None, **fields: Any) -> Observation:
    found = meaning_of(webhook(data=ISSUE if data is None else data, **fields), NOW)
    assert isinstance(found, Observation)
    return found


# --- signatures ----------------------------------------------------------------------------------

bodies = st.binary(max_size=200)


@given(bodies, st.text(min_size=1))
def test_a_body_is_known_by_its_own_signature(body, secret):
    signature = signature_of(body, secret)
    assert may_be_signature(signature)
    assert is_signed(body, signature, secret)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_one_bit_that_is_flipped_or_a_part_that_is_missing_makes_it_unknown(body, data):
    signature = signature_of(body, SECRET)
    bit = data.draw(st.integers(0, 8 * len(body) - 1))
    flipped = bytearray(body)
    flipped[bit // 8] ^= 1 << bit % 8
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    for other in (bytes(flipped), cut, body + b" "):
        assert not is_signed(other, signature, SECRET)


@given(bodies, st.integers(0, 63), st.sampled_from("0123456789abcdef"))
def test_a_forged_signature_is_refused(body, place, digit):
    signature = signature_of(body, SECRET)
    forged = signature[:place] + digit + signature[place + 1 :]
    assert is_signed(body, forged, SECRET) == (forged == signature)
    assert not is_signed(body, signature_of(body, SECRET + "x"), SECRET)


@pytest.mark.parametrize("text", ["", "é" * 64, "0" * 63, "0" * 65, "A" * 64, f"sha256={'0' * 64}"])
def test_what_can_be_no_signature_is_seen_by_its_form(text):
    assert not may_be_signature(text)
    assert not is_signed(b"", text, SECRET)


def test_signatures_are_compared_in_constant_time():
    with mock.patch(
        "bot.linear.webhooks.hmac.compare_digest", wraps=hmac.compare_digest
    ) as compared:
        assert not is_signed(b"{}", "0" * 64, SECRET)
    compared.assert_called_once()


# --- ages ----------------------------------------------------------------------------------------


@given(st.integers(NOW - 2 * ACCEPTED_FOR, NOW + 2 * AHEAD_AT_MOST).map(lambda n: n // 1000 * 1000))
def test_eight_hours_of_retries_are_accepted_and_no_more(stamp):
    meaning = meaning_of(webhook(Instant(stamp), data=ISSUE), NOW)
    is_fine = NOW - ACCEPTED_FOR <= stamp <= NOW + AHEAD_AT_MOST
    assert isinstance(meaning, Observation) if is_fine else meaning is Problem.STALE


def test_the_last_retry_is_accepted():
    last = dt.timedelta(minutes=1, hours=7) // dt.timedelta(microseconds=1)
    assert last < ACCEPTED_FOR


@pytest.mark.parametrize(
    "stamp", [None, "1", True, [], {}, float("nan"), float("inf"), 10**400, -(10**20)]
)
def test_a_timestamp_that_is_none_cannot_be_read(stamp):
    body = json.dumps({"type": "Issue", "webhookTimestamp": stamp, "data": ISSUE}).encode()
    assert meaning_of(body, NOW) is Problem.UNREADABLE


# --- fields --------------------------------------------------------------------------------------


def test_the_least_that_linear_sends_is_enough():
    found = said()
    assert (found.issue, found.identifier, found.team) == (uuid(1), "AI-1799", "AI")
    assert (found.state_type, found.state_id) == ("started", uuid(2))
    assert found.updated_at == NOW - 877_000
    assert (found.said_at, found.origin, found.removed) == (NOW, "webhook", False)
    assert found.texts == (Text(uuid(2), "Canary state"),)
    for name in ("priority", "assignee", "due_date", "cycle", "project", "labels", "estimate"):
        assert getattr(found, name) is UNSET
    for name in ("former_identifiers", "blockers", "archived", "trashed", "actor"):
        assert getattr(found, name) is UNSET


def test_everything_that_linear_says_is_kept():
    found = said(FULL, actor=ACTOR)
    assert found.former_identifiers == ("DMD-480",)
    assert (found.priority, found.estimate) == (2, 3.0)
    assert found.assignee == Person(uuid(4), "Canary Ben")
    assert found.actor == Person(uuid(9), "Canary Ana")
    assert found.due_date == dt.date(2026, 3, 9)
    assert (found.cycle, found.project, found.labels) == (uuid(5), uuid(6), (uuid(7),))
    assert (found.archived, found.trashed) == (True, True)
    assert {each.text for each in found.texts} == {
        f"Canary {name}" for name in ("title", "state", "cycle", "project", "label")
    }


LABEL = {"id": uuid(7), "name": "Canary label"}


@pytest.mark.parametrize(
    "labels", [[LABEL, {"id": 7}], [LABEL | {"id": uuid(100 + each)} for each in range(251)]]
)
def test_labels_that_cannot_be_kept_whole_are_not_said_and_nothing_else_is_lost(labels):
    found = said(FULL | {"labels": labels})
    assert found.labels is UNSET
    assert "Canary label" not in {each.text for each in found.texts}
    assert (found.project, found.estimate) == (uuid(6), 3.0)


def test_a_cycle_without_a_name_is_called_by_its_number():
    for cycle in ({"id": uuid(5), "number": 7}, {"id": uuid(5), "number": 7.0, "name": None}):
        assert Text(uuid(5), "cycle 7") in said(FULL | {"cycle": cycle}).texts
    assert said(FULL | {"cycle": {"id": uuid(5), "number": "?"}}).cycle == uuid(5)


def test_what_has_changed_and_is_missing_is_empty_now():
    changed = {
        "assigneeId": uuid(4),
        "dueDate": "2026-03-09",
        "cycleId": uuid(5),
        "projectId": uuid(6),
        "labelIds": [uuid(7)],
        "estimate": 3,
        "archivedAt": "2026-03-01T00:00:00.000Z",
        "trashed": True,
    }
    found = said(updatedFrom=changed)
    assert (found.assignee, found.due_date, found.cycle, found.project) == (None,) * 4
    assert (found.labels, found.estimate, found.archived, found.trashed) == ((), None, False, False)


def test_nulls_say_that_there_is_nothing():
    nulls = dict.fromkeys(("assignee", "dueDate", "cycle", "projectId", "estimate", "archivedAt"))
    found = said(ISSUE | nulls)
    assert (found.assignee, found.due_date, found.cycle, found.project) == (None,) * 4
    assert (found.estimate, found.archived) == (None, False)


@pytest.mark.parametrize(
    ("actor", "is_app"),
    [
        ({"id": uuid(9), "name": "Ana"}, False),
        ({"id": uuid(9), "type": "user", "email": "ana@example.org"}, False),
        ({"id": uuid(9), "type": "User"}, False),
        ({"id": uuid(9), "type": "ExternalUser"}, False),
        ({"id": uuid(9), "type": "OauthClient", "name": "Bot"}, True),
        ({"id": uuid(9), "type": "Integration", "service": "slack"}, True),
        ({"id": uuid(9), "type": "SomethingNew"}, True),
    ],
)
def test_people_and_apps_are_told_apart(actor, is_app):
    found = said(actor=actor).actor
    assert isinstance(found, Person)
    assert found.is_app == is_app


@pytest.mark.parametrize("actor", [{}, {"id": "x"}, {"id": uuid(9), "type": 5}, "ana", [], 5])
def test_an_odd_actor_was_not_said(actor):
    assert said(actor=actor).actor is UNSET
    assert said(actor=None).actor is None


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "x", "\ud800", "9999-99-99", "0001-01-01T00:00:00+14:00", uuid(1)]),
    st.sampled_from([[], {}, [5], [{}], {"id": 5}, {"id": "\ud800"}, {"nodes": 5}, {"nodes": [5]}]),
)


@given(st.dictionaries(st.sampled_from(sorted(FULL)), odd), st.booleans())
def test_odd_values_are_read_or_refused_and_nothing_is_raised(changes, is_sla):
    data = FULL | changes
    body = webhook(type="IssueSLA", issueData=data) if is_sla else webhook(data=data, actor=ACTOR)
    found = meaning_of(body, NOW)
    if isinstance(found, Observation):
        assert checked_observation(found) == found
    else:
        assert changes.keys() & ISSUE.keys()


@given(st.dictionaries(st.sampled_from(sorted(FULL.keys() - ISSUE.keys())), odd))
def test_an_odd_value_costs_no_other(changes):
    found = said(FULL | changes)
    untouched = {"priority": "priority", "due_date": "dueDate", "estimate": "estimate"}
    for ours, theirs in untouched.items():
        if theirs not in changes:
            assert getattr(found, ours) == getattr(said(FULL), ours)


@given(st.dictionaries(st.text(max_size=8), odd, max_size=4))
def test_more_fields_change_nothing(more):
    assert said({**more, **FULL}, **{f"x{key}": value for key, value in more.items()}) == said(FULL)


@pytest.mark.parametrize("name", sorted(ISSUE))
def test_without_a_field_that_is_required_it_cannot_be_read(name):
    data = {key: value for key, value in ISSUE.items() if key != name}
    assert meaning_of(webhook(data=data), NOW) is Problem.UNREADABLE


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[]", b"5", b"null", b"{}", b"[" * 100_000, b'{"webhookTimestamp": 1}'],
)
def test_what_is_no_webhook_cannot_be_read(body):
    assert meaning_of(body, NOW) is Problem.UNREADABLE


# --- kinds ---------------------------------------------------------------------------------------


@given(st.sets(st.sampled_from(sorted(UNOBSERVED)), min_size=1))
def test_a_drag_on_a_board_adds_nothing(names):
    before = dict.fromkeys(names, 1)
    assert meaning_of(webhook(data=ISSUE, updatedFrom=before), NOW) == Nothing()
    assert said(updatedFrom=before | {"stateId": uuid(2)}).state_type == "started"


def test_an_update_that_does_not_say_what_changed_is_kept():
    assert said(updatedFrom={}) == said(updatedFrom="x") == said()


def test_a_removal_happened_when_linear_says_so():
    found = said(action="remove", createdAt="2026-03-02T12:00:00.000Z")
    assert (found.removed, found.updated_at) == (True, NOW)
    for odd_moment in (None, "x", "2026-03-01T00:00:00.000Z"):
        found = said(action="remove", createdAt=odd_moment)
        assert (found.removed, found.updated_at) == (True, NOW - 877_000)


@pytest.mark.parametrize("action", ["set", "highRisk", "breached"])
def test_a_warning_about_an_agreement_describes_the_issue(action):
    found = meaning_of(webhook(type="IssueSLA", action=action, issueData=FULL), NOW)
    assert isinstance(found, Observation)
    assert found == said(FULL)
    assert meaning_of(webhook(type="IssueSLA", action=action), NOW) is Problem.UNREADABLE


COMMENT = {
    "id": uuid(20),
    "body": "Canary words",
    "createdAt": "2026-03-02T11:58:00.000Z",
    "issue": {"id": uuid(1), "identifier": "AI-1799", "title": "Canary", "team": {"key": "AI"}},
    "user": {"id": uuid(9), "name": "Canary Ana"},
}


def test_a_comment_says_who_made_it_when_and_none_of_its_words():
    body = webhook(type="Comment", action="create", data=COMMENT, actor=ACTOR)
    found = meaning_of(body, NOW)
    assert isinstance(found, Observation)
    assert (found.commented, found.identifier, found.updated_at) == (True, "AI-1799", NOW - 120e6)
    assert found.actor == Person(uuid(9), "Canary Ana")
    assert (found.state_type, found.texts) == (UNSET, ())
    assert "words" not in str(found)


def test_a_comment_of_an_app_is_one():
    data = COMMENT | {"botActor": {"id": "x", "type": "slack"}}
    found = meaning_of(webhook(type="Comment", action="create", data=data, actor=ACTOR), NOW)
    assert isinstance(found, Observation)
    assert found.actor == Person(uuid(9), "Canary Ana", is_app=True)


@pytest.mark.parametrize(
    ("fields", "meaning"),
    [
        ({"action": "update"}, Nothing()),
        ({"action": "remove"}, Nothing()),
        ({"data": COMMENT | {"issue": None}}, Nothing()),
        ({"data": {"createdAt": "2026-03-02T11:58:00.000Z"}}, Nothing()),
        ({"data": COMMENT | {"createdAt": "x"}}, Problem.UNREADABLE),
        ({"data": COMMENT | {"issue": {}}}, Problem.UNREADABLE),
        ({"data": None}, Problem.UNREADABLE),
    ],
)
def test_other_comments_are_nothing_or_cannot_be_read(fields, meaning):
    body = webhook(**{"type": "Comment", "action": "create", "data": COMMENT} | fields)
    assert meaning_of(body, NOW) == meaning


def test_an_unknown_type_is_named_if_it_has_a_name():
    assert meaning_of(webhook(type="Reaction"), NOW) == Nothing("Reaction")
    assert "canary" not in str(meaning_of(webhook(type="canary\n\ud800"), NOW))
