"""Observations for tests: strategies that build valid ones, and one that is short to write.

The same for the events that they become.
"""

import datetime as dt
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import strategies as st
from msgspec import UNSET

from ledger.events import IssueObserved
from ledger.instants import Instant, instant_of
from ledger.observations import Observation, Person, Text, checked_observation

DAY_ONE = instant_of(dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC))
STATE_TYPES = ("triage", "backlog", "unstarted", "started", "completed", "canceled", "duplicate")


def uuid(number: int) -> str:
    """A UUID that is the same for the same number."""
    return f"00000000-0000-4000-8000-{number:012x}"


def observation(number: int = 1, **fields: Any) -> Observation:
    """A checked observation of the issue with this number."""
    given: dict[str, Any] = {
        "issue": uuid(number),
        "identifier": f"AI-{number}",
        "team": "AI",
        "updated_at": DAY_ONE,
        "state_type": "started",
        "origin": "webhook",
    }
    return checked_observation(Observation(**given | fields))


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of the values, or UNSET."""
    return st.just(UNSET) | values


ids = st.integers(100, 105).map(uuid)
people = st.builds(Person, id=st.integers(200, 203).map(uuid), name=st.none() | st.text(max_size=8))
keys = st.integers(1, 4).map("AI-{}".format)
_several = st.lists(ids, max_size=3).map(tuple)


_instants = st.integers(DAY_ONE, DAY_ONE + 5).map(Instant)


def observations() -> st.SearchStrategy[Observation]:
    """Checked observations of few issues, people and instants, so that many of them meet."""
    drawn = st.builds(
        Observation,
        issue=st.integers(1, 3).map(uuid),
        identifier=keys,
        team=st.just("AI"),
        updated_at=_instants,
        state_id=st.none() | ids,
        state_type=st.sampled_from(STATE_TYPES),
        state_since=maybe(_instants),
        former_identifiers=maybe(st.lists(keys, max_size=2).map(tuple)),
        priority=maybe(st.integers(0, 4)),
        assignee=maybe(st.none() | people),
        due_date=maybe(st.none() | st.dates(dt.date(2026, 1, 1), dt.date(2026, 1, 3))),
        cycle=maybe(st.none() | ids),
        project=maybe(st.none() | ids),
        labels=maybe(_several),
        estimate=maybe(st.none() | st.sampled_from([0.0, 1.0, 2.5])),
        blockers=maybe(_several),
        archived=maybe(st.booleans()),
        trashed=maybe(st.booleans()),
        public_team=maybe(st.sampled_from([None, "AI"])),
        actor=maybe(st.none() | people),
        removed=st.booleans(),
        commented=st.sampled_from([False, False, True]),
        origin=st.sampled_from(["webhook", "look-up"]),
        said_at=_instants,
    )
    return st.tuples(drawn, st.text(max_size=8)).map(_titled)


def _titled(drawn: tuple[Observation, str]) -> Observation:
    said, title = drawn
    texts = (Text(said.issue, title, "https://linear.app/i"),)
    return checked_observation(msgspec.structs.replace(said, texts=texts))


def event(said: Observation, recorded_at: int = DAY_ONE) -> IssueObserved:
    """The event that an observation becomes, in which the accounts of people are their ids."""
    fields = msgspec.structs.asdict(said)
    del fields["texts"]
    actor = said.actor
    return IssueObserved(
        **fields
        | {
            "originator_id": UUID(said.issue),
            "originator_version": 0,
            "recorded_at": Instant(recorded_at),
            "said_at": Instant(recorded_at) if said.said_at is None else said.said_at,
            "assignee": _account(said.assignee),
            "actor": _account(actor),
            "actor_is_app": actor.is_app if isinstance(actor, Person) else UNSET,
        }
    )


def _account(person: Any) -> Any:
    return UUID(person.id) if isinstance(person, Person) else person


def events() -> st.SearchStrategy[IssueObserved]:
    """The events of observations of one issue, recorded at any of few instants."""
    one = observations().map(lambda said: msgspec.structs.replace(said, issue=uuid(1), texts=()))
    return st.builds(event, one, _instants)
