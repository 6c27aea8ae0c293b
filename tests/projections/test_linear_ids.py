"""Linear's UUIDs of issues: as given, or else by look-ups, as known when it is asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.commands import interaction_of
from ledger.instants import Instant, moment_of
from projections.application import Engagements, IssueEngagementRepository
from tests.support.observations import observation, uuid
from tests.support.strategies import HOUR, NOON, Clock


@pytest.fixture
def engagements(tmp_path: Path) -> Iterator[Engagements]:
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=Clock()) as opened:
        yield opened


def touch(engagements: Engagements, key: str, linear_id: str | None = None, hours: int = 0) -> None:
    at = moment_of(Instant(NOON - hours * HOUR))
    engagements.ledger.record(
        interaction_of("ana", key, "query", linear_id=linear_id, occurred_at=at)
    )


def look_up(engagements: Engagements, number: int, **said: Any) -> None:
    said = {"origin": "look-up", "updated_at": NOON} | said
    engagements.ledger.record(observation(number, **said))


def answered(engagements: Engagements, key: str) -> str:
    found = IssueEngagementRepository(engagements).get_engagement("ana", key)
    assert found is not None
    return found.linear_id


def in_history(engagements: Engagements, **moments: Any) -> list[str | None]:
    return [each.linear_id for each in engagements.questions.history("ana", **moments)]


def test_without_a_look_up_the_key_stands_for_it(engagements):
    touch(engagements, "AI-1")
    engagements.ledger.record(observation(1, updated_at=NOON))
    assert answered(engagements, "AI-1") == "AI-1"
    assert in_history(engagements) == [None]
    assert engagements.issues.linear_ids([("AI-1", None)]) == [None]


def test_a_look_up_answers_for_what_was_recorded_before(engagements):
    touch(engagements, "AI-1")
    look_up(engagements, 1)
    assert answered(engagements, "AI-1") == uuid(1)
    assert in_history(engagements) == [uuid(1)]


def test_what_was_given_comes_first(engagements):
    touch(engagements, "AI-1", "given")
    look_up(engagements, 1)
    assert answered(engagements, "AI-1") == "given"
    assert in_history(engagements) == ["given"]


def test_as_known_before_the_look_up_there_is_none(engagements):
    touch(engagements, "AI-1")
    known_at = moment_of(NOON)
    engagements.clock.move(HOUR)
    look_up(engagements, 1)
    assert in_history(engagements, known_at=known_at) == [None]
    assert in_history(engagements, known_at=engagements.clock()) == [uuid(1)]


def test_a_moved_issue_has_one_uuid_under_all_keys(engagements):
    touch(engagements, "DMD-480")
    touch(engagements, "AI-1")
    look_up(engagements, 1, former_identifiers=("DMD-480",))
    assert answered(engagements, "DMD-480") == answered(engagements, "AI-1") == uuid(1)
    assert in_history(engagements) == [uuid(1), uuid(1)]


def test_after_a_swap_each_event_has_the_uuid_of_the_issue_that_had_its_key(engagements):
    early, late = Instant(NOON - 4 * HOUR), Instant(NOON - 2 * HOUR)
    look_up(engagements, 1, identifier="AI-1", updated_at=early)
    look_up(engagements, 2, identifier="AI-2", updated_at=early)
    look_up(engagements, 1, identifier="AI-2", updated_at=late)
    look_up(engagements, 2, identifier="AI-1", updated_at=late)
    touch(engagements, "AI-1", hours=3)
    touch(engagements, "AI-1", hours=1)
    assert in_history(engagements) == [uuid(1), uuid(2)]
    asked = [("AI-1", None), ("AI-1", early), ("AI-2", late)]
    assert engagements.issues.linear_ids(asked) == [uuid(2), uuid(1), uuid(1)]


def test_after_an_import_the_present_uuid_answers(engagements):
    touch(engagements, "AI-1")
    look_up(engagements, 1, identifier="AI-1", updated_at=Instant(NOON - HOUR))
    look_up(engagements, 2, identifier="AI-1")
    assert answered(engagements, "AI-1") == uuid(2)


def test_recorded_keys_are_those_of_users_folded_or_not(engagements):
    touch(engagements, "AI-1")
    touch(engagements, "AI-2")
    engagements.ledger.fold()
    touch(engagements, "AI-3")
    touch(engagements, "AI-1")
    look_up(engagements, 3, identifier="AI-3", former_identifiers=("AI-2",))
    engagements.ledger.record(observation(9, identifier="AI-1", updated_at=NOON))
    keys = engagements.issues.recorded_keys()
    assert dict(keys.first) == {"AI-1": 1, "AI-2": 2, "AI-3": 3}
    assert (keys.present, keys.former) == ({"AI-3"}, {"AI-2"})
    engagements.ledger.erase("ana")
    assert dict(engagements.issues.recorded_keys().first) == {}
