"""An unchanged issue is known by the keys of its descriptions, without reading its events."""

from collections.abc import Sequence
from functools import reduce
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.commands import FOREVER, OptOut
from ledger.errors import ClockNotAheadError, OptedOutError
from ledger.instants import DAY, Instant
from ledger.observations import Latest, Observation, Person
from ledger.store import issue_streams
from ledger.store.issue_streams import IssueStreams
from ledger.validation import UserId
from projections.application import Engagements
from tests.support.observations import DAY_ONE, observation, observations, people, uuid
from tests.support.strategies import Clock

ANA = Person(uuid(200), "Ana Canary")

# --- the latest of several -----------------------------------------------------------------------

_few = st.integers(0, 3)
one_each = st.lists(st.tuples(_few, _few), min_size=1, max_size=4).map(
    lambda drawn: [Latest(*instants, position) for position, instants in enumerate(drawn)]
)


def latest_by_definition(several: Sequence[Latest]) -> Latest:
    updated_at = max(each.updated_at for each in several)
    said_at = max(each.said_at for each in several)
    last = [each for each in several if each.said_at == said_at]
    is_true = len(last) == 1 and last[0].updated_at == updated_at
    return Latest(updated_at, said_at, last[0].position if is_true else None)


@given(one_each)
def test_the_latest_is_the_same_in_any_order(several):
    expected = latest_by_definition(several)
    assert {reduce(Latest.merged, order) for order in permutations(several)} == {expected}


# --- in a ledger ---------------------------------------------------------------------------------

Step = Observation | Person | str
steps = st.lists(
    st.lists(observations(), min_size=1, max_size=3)
    | people
    | st.sampled_from(["again", "again", "link", "opt_out", "ahead", "correct"]),
    max_size=10,
)


class Ledger:
    """A ledger that steps are applied to."""

    def __init__(self, folder: Path) -> None:
        """Make it in a new folder."""
        folder.mkdir()
        self.clock = Clock()
        self.clock.at = Instant(DAY_ONE + DAY)
        self.engagements = Engagements(f"sqlite:///{folder}/ledger.db", clock=self.clock)
        self.said: list[Observation] = []

    def apply(self, step: Any) -> Any:
        """Do what a step says, and return what the ledger answers."""
        ledger = self.engagements.ledger
        self.clock.move(1)
        if isinstance(step, Person):
            return ledger.erase(step.user_id)
        if isinstance(step, str):
            return getattr(self, step)()
        self.said += step
        return ledger.record_many(step)

    def again(self) -> list[Any]:
        """Say everything again as it was said, and as if it were said now."""
        now = [msgspec.structs.replace(each, said_at=None) for each in self.said]
        return [self.engagements.ledger.record(each) for each in [*self.said, *now]]

    def link(self) -> object:
        """Give one of the people an account, also after they were forgotten."""
        try:
            return self.engagements.ledger.linear_links.link(UserId("4711"), ANA)
        except OptedOutError:
            return None

    def opt_out(self) -> object:
        """Keep one of the people out."""
        return self.engagements.ledger.record(OptOut(ANA.user_id, FOREVER))

    def ahead(self) -> None:
        """Let the clock run ahead."""
        self.clock.move(20 * DAY)

    def correct(self) -> int | None:
        """Set the clock right, and the ledger, if it is ahead."""
        self.clock.at = Instant(DAY_ONE + DAY + 1000)
        try:
            return self.engagements.ledger.correct_clock("was ahead")
        except ClockNotAheadError:
            return None


def check_recorded_alike(given_steps: Sequence[Any]) -> None:
    """Compare the ledger with one that reads all events of the issue before it decides."""
    with TemporaryDirectory() as folder:
        quick, slow = Ledger(Path(folder) / "quick"), Ledger(Path(folder) / "slow")
        with quick.engagements, slow.engagements:
            for step in given_steps:
                quickly = quick.apply(step)
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(IssueStreams, "_is_latest", lambda *_: False)
                    slowly = slow.apply(step)
                assert quickly == slowly
            assert quick.engagements.maintenance.verify().findings == []


@given(steps)
def test_the_same_is_recorded_as_if_all_events_were_read(given_steps):
    check_recorded_alike(given_steps)


FREE, BLOCKED = observation(blockers=()), observation(blockers=(uuid(2),))
NOT_LAST = [
    msgspec.structs.replace(FREE, said_at=Instant(DAY_ONE + 10)),
    msgspec.structs.replace(BLOCKED, said_at=Instant(DAY_ONE + 5)),
    msgspec.structs.replace(BLOCKED, said_at=Instant(DAY_ONE + 20)),
]
"""The second came late, so the third says something else than the latest."""


def test_an_issue_whose_last_recorded_description_is_not_the_latest_is_recorded_again():
    check_recorded_alike([[each] for each in NOT_LAST])


def test_taking_the_last_recorded_for_the_latest_would_be_seen(monkeypatch):
    monkeypatch.setattr(Latest, "merged", lambda _, other: other)
    with pytest.raises(AssertionError):
        check_recorded_alike([[each] for each in NOT_LAST])


def test_forgetting_that_accounts_change_would_be_seen(monkeypatch):
    ahead = observation(assignee=ANA, updated_at=Instant(DAY_ONE + DAY + 1000))
    given_steps = [[ahead], ANA, "link", "again"]
    check_recorded_alike(given_steps)
    monkeypatch.setattr(Observation, "people", ())
    with pytest.raises(AssertionError):
        check_recorded_alike(given_steps)


# --- without reading -----------------------------------------------------------------------------


def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        message = "the events of an issue are read"
        raise AssertionError(message)

    monkeypatch.setattr(issue_streams, "observations_of", refused)


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path / "ledger")
    with made.engagements:
        yield made


def test_what_was_said_last_and_a_comment_are_known_without_reading_events(ledger, monkeypatch):
    said = [
        observation(blockers=blockers, assignee=ANA, said_at=Instant(DAY_ONE + at))
        for at, blockers in enumerate([(), (uuid(2),), ()])
    ]
    comment = observation(commented=True, state_type=msgspec.UNSET, actor=ANA)
    assert [each.counted for each in ledger.apply(said)] == [True] * 3
    assert [each.counted for each in ledger.apply([comment])] == [True]
    unread(monkeypatch)
    for later in range(10, 13):
        again = msgspec.structs.replace(said[-1], said_at=Instant(DAY_ONE + later))
        assert [each.counted for each in ledger.apply([again, comment])] == [False] * 2


def test_what_was_said_before_something_else_is_decided_by_the_events(ledger, monkeypatch):
    said = [
        observation(blockers=blockers, said_at=Instant(DAY_ONE + at))
        for at, blockers in enumerate([(), (uuid(2),)])
    ]
    ledger.apply(said)
    unread(monkeypatch)
    with pytest.raises(AssertionError, match="are read"):
        ledger.apply([msgspec.structs.replace(said[0], said_at=Instant(DAY_ONE + 10))])


def test_a_ledger_of_before_gets_the_table_when_it_is_opened(ledger, tmp_path, monkeypatch):
    ledger.apply([FREE])
    with ledger.engagements.ledger.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE latest_observations")
    url = f"sqlite:///{tmp_path}/ledger/ledger.db"
    with Engagements(url, clock=ledger.clock) as again:
        assert again.maintenance.verify().findings == []
        unread(monkeypatch)
        assert not again.ledger.record(FREE).counted
