"""Names of issues as a ledger's observations show them: as fresh as the snapshot, and as known."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from ledger.commands import interaction_of
from ledger.instants import DAY, Instant
from ledger.observations import Observation
from ledger.store.issue_streams import recorded_of
from ledger.store.tables import streams
from projections.application import Engagements, Replay
from projections.issue_names import Claim, Names
from projections.read_model import moved_issues
from projections.read_model.moved_issues import MovedIssues
from tests.support.observations import DAY_ONE, observation
from tests.support.strategies import Clock

KEYS = ("AI-1", "AI-2", "DMD-1", "DMD-2")
STEPS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(KEYS)), max_size=10)


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.at = Instant(DAY_ONE + DAY)
    return clock


@pytest.fixture
def engagements(tmp_path, clock) -> Iterator[Engagements]:
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=clock) as opened:
        yield opened


def called(number: int, identifier: str, at: int = 0) -> Observation:
    at = Instant(DAY_ONE + at)
    return observation(number, identifier=identifier, updated_at=at, origin="look-up")


def names(engagements: Engagements, known_at: int | None = None) -> Names:
    with engagements.ledger.database.read() as connection:
        known = None if known_at is None else Instant(known_at)
        database = engagements.ledger.database
        return engagements.read_model.moved.names(connection, database, known)


def all_names(engagements: Engagements) -> Names:
    """Those by all observations, without a table or a cache."""
    with engagements.ledger.database.read() as connection:
        found = connection.scalars(select(streams.c.id)).all()
        observed = [
            each
            for stream in found
            for _, each in recorded_of(connection, engagements.ledger.database, stream)
        ]
    return Names(Claim(each.issue, each.updated_at, each.identifier) for each in observed)


@given(STEPS, st.data())
def test_names_are_those_by_all_observations_and_the_table_is_what_events_say(
    tmp_path_factory, steps, data
):
    url = f"sqlite:///{tmp_path_factory.mktemp('moves')}/ledger.db"
    with Engagements(url) as one, Engagements(url) as other:
        for at, (number, key) in enumerate(steps):
            data.draw(st.sampled_from([one, other])).ledger.record(called(number, key, at))
            asked = data.draw(st.sampled_from([one, other]))
            expected = all_names(asked)
            for each in KEYS:
                assert names(asked).spans(each) == expected.spans(each)
        with one.ledger.database.read() as connection:
            assert moved_issues.difference(connection, one.ledger.database) is None


def test_a_move_that_only_a_webhook_reports_names_no_team_that_may_be_hidden(engagements):
    engagements.ledger.record(called(1, "AI-1"))
    moved = observation(1, identifier="LAW-1", team="LAW", updated_at=Instant(DAY_ONE + 1))
    engagements.ledger.record(moved)
    assert names(engagements).name("AI-1") == "AI-1"
    engagements.ledger.record(called(1, "LAW-1", at=2))
    assert names(engagements).name("AI-1") == "LAW-1"


def test_a_move_is_known_from_its_observation_on(engagements, clock):
    engagements.ledger.record(called(1, "DMD-1"))
    before = clock.at
    clock.move(DAY)
    engagements.ledger.record(called(1, "AI-1", at=5))
    assert names(engagements, known_at=before).name("DMD-1") == "DMD-1"
    assert names(engagements, known_at=clock.at).name("DMD-1") == "AI-1"
    assert names(engagements).name("DMD-1") == "AI-1"


def test_an_older_snapshot_does_not_see_a_later_move(engagements):
    moved, database = MovedIssues(), engagements.ledger.database
    engagements.ledger.record(called(1, "DMD-1"))
    engagements.ledger.record(called(1, "DMD-2", at=1))
    with database.read() as old:
        assert moved.names(old, database).name("DMD-1") == "DMD-2"
        engagements.ledger.record(called(1, "AI-1", at=2))
        with database.read() as new:
            assert moved.names(new, database).name("DMD-1") == "AI-1"
        assert moved.names(old, database).name("DMD-1") == "DMD-2"


def test_without_moves_no_observation_is_read(engagements, monkeypatch):
    engagements.ledger.record(called(1, "AI-1"))
    engagements.ledger.record(called(2, "AI-2"))
    engagements.ledger.record(interaction_of("ana", "AI-1", "query"))
    monkeypatch.delattr("ledger.store.issue_streams.recorded_of")
    assert not names(engagements)


def test_a_lost_table_is_filled_again(engagements, tmp_path, clock):
    engagements.ledger.record(called(1, "DMD-1"))
    engagements.ledger.record(called(1, "AI-1", at=1))
    with engagements.ledger.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE moved_issues")
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=clock) as opened:
        assert names(opened).name("DMD-1") == "AI-1"


def test_an_override_alone_under_a_key_is_as_a_replay_folds_it(engagements, clock):
    engagements.ledger.record(called(1, "DMD-1"))
    engagements.ledger.record(called(1, "AI-1", at=1))
    engagements.ledger.record(interaction_of("ana", "DMD-1", "query"))
    engagements.adjustments.override("ana", "AI-1", 0.5)
    engagements.ledger.fold()
    clock.move(100 * DAY)
    engagements.maintenance.refresh_scores(30)
    assert replayed(engagements).difference is None


def test_a_damaged_table_is_found_and_repaired(engagements):
    engagements.ledger.record(called(1, "DMD-1"))
    engagements.ledger.record(called(1, "AI-1", at=1))
    with engagements.ledger.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM moved_issues")
    assert "stream" in str(replayed(engagements).difference)
    replayed(engagements, repair=True)
    assert replayed(engagements).difference is None
    assert names(engagements).name("DMD-1") == "AI-1"


def replayed(engagements: Engagements, *, repair: bool = False) -> Replay:
    return engagements.maintenance.replay(repair=repair, progress=lambda _: None)
