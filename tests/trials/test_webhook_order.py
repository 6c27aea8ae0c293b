"""Webhooks in any order, several times and late, leave the issues that the ordered ones leave.

The planted fault, which dates what a webhook says by its arrival, must be caught.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from bot.linear.webhooks import meaning_of
from ledger.instants import Instant, moment_of
from ledger.observations import Observation, Person
from projections.application import Engagements
from tests.support.linear_histories import Arrived, History, observations
from tests.support.observations import observation
from tests.support.trials.counts import chance, count, tell

pytestmark = pytest.mark.trial

WEBHOOKS = count(full=10_000, small=150)
ORDERS = count(full=3, small=2)
ISSUES = count(full=60, small=12)
MOMENTS, AT_ONCE = 4, 256
AT_ONE_MOMENT, SHUFFLES = 40, 5


def answers(path: Path, history: History, observed: Sequence[Observation]) -> dict[str, Any]:
    """The issues at several moments by a ledger of no issue of theirs that records them.

    All such ledgers of a history have the same accounts of people: of changes in one millisecond
    the content decides, which in an event has accounts in place of people (R11).
    """
    shutil.copy(with_people(path.parent / "people.db", history), path)
    ends = history.clock.at
    began = ends - history.spanned
    moments = [None, *(began + history.spanned * n // MOMENTS for n in range(MOMENTS))]
    with Engagements(f"sqlite:///{path}", clock=lambda: moment_of(ends)) as engagements:
        for start in range(0, len(observed), AT_ONCE):
            engagements.ledger.record_many(observed[start : start + AT_ONCE])
        assert engagements.maintenance.verify().findings == []
        return {
            f"{key} at {at}": answer(engagements, key, at) for key in history.keys for at in moments
        }


def with_people(path: Path, history: History) -> Path:
    """The ledger that has accounts of all the people, which is made if it is not there yet."""
    if path.exists():
        return path
    ends = history.clock.at
    other = observation(identifier="PEOPLE-1", updated_at=ends)
    named = [msgspec.structs.replace(other, assignee=each) for each in people_of(history)]
    with Engagements(f"sqlite:///{path}", clock=lambda: moment_of(ends)) as engagements:
        engagements.ledger.record_many(named)
    return path


def people_of(history: History) -> list[Person]:
    """Everyone whom the webhooks name."""
    named = (each.people for each in observations(history.in_order()))
    return sorted({person for people in named for person in people}, key=lambda each: each.id)


def answer(engagements: Engagements, key: str, at: int | None) -> Any:
    """An issue at a moment, with its assignee by the id at Linear, which is no account."""
    known = engagements.issues.issue(key, None if at is None else moment_of(Instant(at)))
    if known is None:
        return None
    assignee = known.at.assignee
    person = known.people[assignee].id if isinstance(assignee, UUID) else assignee
    return msgspec.structs.replace(known.at, assignee=None), person, known.spans, known.texts


def check_by_the_workspace(history: History, found: dict[str, Any]) -> None:
    """Assert that the ledger says of each issue what the workspace says."""
    for node in history.workspace.issues:
        if node["identifier"] in history.ambiguous:
            continue
        at, person, _, texts = found[f"{node['identifier']} at None"]
        assert (at.state_type, at.priority) == (node["state"]["type"], node["priority"])
        assert person == (None if node["assignee"] is None else node["assignee"]["id"])
        assert texts[node["id"]].text == node["title"]


@pytest.mark.parametrize("order", range(ORDERS))
def test_any_order_leaves_the_issues_of_the_ordered_ones(tmp_path, order):
    del order
    dice = chance()
    history = History(dice, WEBHOOKS, ISSUES)
    expected = answers(tmp_path / "ordered.db", history, observations(history.in_order()))
    check_by_the_workspace(history, expected)
    arrived = history.in_any_order(dice)
    assert [each.body for each in arrived] != [each.body for each in history.in_order()]
    assert answers(tmp_path / "mixed.db", history, observations(arrived)) == expected
    tell(f"{WEBHOOKS:,} webhooks in {len(arrived):,} deliveries: {len(expected)} equal answers")


def test_changes_in_one_millisecond_are_the_same_in_any_order(tmp_path):
    dice = chance()
    history = History(dice, AT_ONE_MOMENT, 3, pauses=[0])
    expected = answers(tmp_path / "ordered.db", history, observations(history.in_order()))
    for number in range(SHUFFLES):
        mixed = observations(history.in_order())
        dice.shuffle(mixed)
        assert answers(tmp_path / f"{number}.db", history, mixed) == expected


def dated_by_arrival(arrived: Sequence[Arrived]) -> list[Observation]:
    """The planted fault."""
    found = [(meaning_of(each.body, each.at), each.at) for each in arrived]
    return [
        msgspec.structs.replace(said, updated_at=at)
        for said, at in found
        if isinstance(said, Observation)
    ]


def test_what_is_dated_by_its_arrival_is_caught(tmp_path):
    dice = chance()
    history = History(dice, 100, 12)
    expected = answers(tmp_path / "ordered.db", history, observations(history.in_order()))
    planted = dated_by_arrival(history.in_any_order(dice))
    assert answers(tmp_path / "planted.db", history, planted) != expected
