"""A ledger that version 0.2.0 wrote, with segments and with observations hot in what it sealed."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ledger.archive import segment_files
from ledger.instants import DAY, Instant, moment_of
from projections.application import Engagements
from tests.support.observations import DAY_ONE, observation
from tests.support.sealed_ledgers import segments_of
from tests.support.strategies import HOUR, Clock

MADE = Path(__file__).parent / "version_7"
SEALED = 24
"""The last position that was sealed; every second event up to it is an observation."""


@pytest.fixture
def folder(tmp_path) -> Path:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.executescript((MADE / "ledger.sql").read_text())
        connection.execute("PRAGMA journal_mode=WAL")
    archive = tmp_path / "ledger.db.archive"
    archive.mkdir()
    for path in MADE.glob("*.parquet"):
        shutil.copy(path, archive)
    found: Path = tmp_path
    return found


@pytest.fixture
def engagements(folder) -> Iterator[Engagements]:
    clock = Clock()
    clock.at = Instant(DAY_ONE + 30 * DAY)
    with Engagements(f"sqlite:///{folder}/ledger.db", clock=clock) as opened:
        yield opened


def expect_sound(engagements: Engagements) -> None:
    for segment in segments_of(engagements):
        engagements.ledger.compactor.check(segment)
    assert engagements.ledger.compactor.sealed_difference() is None
    replayed = engagements.maintenance.replay(repair=False, progress=lambda _: None)
    assert replayed.difference is None
    assert engagements.maintenance.verify().findings == []


def told(engagements: Engagements) -> list[object]:
    """The answers about issues under any key, and about users."""
    days = [None, moment_of(Instant(DAY_ONE + HOUR)), moment_of(Instant(DAY_ONE + 2 * DAY))]
    issues = [
        engagements.issues.issue(key, at)
        for key in ("AI-1", "AI-2", "AI-3", "OPS-9")
        for at in days
    ]
    users = [engagements.questions.ranking(user, at) for user in ("ana", "ben") for at in days]
    histories = [list(engagements.questions.history(user)) for user in ("ana", "ben")]
    return [*issues, *users, *histories, engagements.issues.latest_change()]


def hot_observations(folder: Path) -> list[int]:
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        query = "SELECT position FROM events WHERE topic = 'observation' ORDER BY position"
        return [position for (position,) in connection.execute(query)]


def test_its_segments_are_read_and_what_it_left_hot_stays(engagements, folder):
    expect_sound(engagements)
    before, left = told(engagements), hot_observations(folder)
    assert min(left) <= SEALED < max(left)
    compactor = engagements.ledger.compactor
    assert compactor.compact(engagements.ledger.size()[0]).events > 0
    assert hot_observations(folder) == [each for each in left if each <= SEALED]
    assert told(engagements) == before
    assert compactor.sealable(engagements.ledger.size()[0]) == 0
    expect_sound(engagements)


def test_its_segments_are_merged_with_new_ones(engagements, folder):
    before, old = told(engagements), segments_of(engagements)
    engagements.ledger.compactor.compact(engagements.ledger.size()[0])
    (merged,) = segments_of(engagements)
    assert merged.covers(old[0].first_position, old[-1].last_position)
    assert engagements.ledger.archive.has_states(merged)
    assert told(engagements) == before
    expect_sound(engagements)


def test_what_it_left_hot_is_read_with_what_is_sealed_of_the_same_issue(engagements, folder):
    engagements.ledger.compactor.compact(engagements.ledger.size()[0])
    at = Instant(DAY_ONE + 20 * DAY)
    engagements.ledger.record(observation(1, updated_at=at, priority=4))
    found = engagements.issues.issue("AI-1")
    assert found is not None
    assert found.at.priority == 4
    first = engagements.issues.issue("AI-1", moment_of(Instant(DAY_ONE + HOUR)))
    assert first is not None
    assert first.at.priority is not None


def test_what_it_left_hot_cannot_be_deleted(engagements, folder):
    engagements.ledger.compactor.compact(engagements.ledger.size()[0])
    engagements.ledger.record(observation(2, updated_at=Instant(DAY_ONE + 20 * DAY)))
    with (
        closing(sqlite3.connect(folder / "ledger.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="immutable"),
    ):
        connection.execute("DELETE FROM events WHERE topic = 'observation'")


def test_a_segment_without_observations_is_still_written_to_the_last_byte(engagements, tmp_path):
    """So one of an earlier version can be made again where its file was lost."""
    archive = engagements.ledger.archive
    for segment in segments_of(engagements):
        path = archive.folder / segment.name
        written, table = path.read_bytes(), archive.read(segment)
        assert "state" not in pq.read_schema(path).names
        assert archive.publish(table, *segment.range) == segment
        assert path.read_bytes() == written
        assert segment_files.segment_in(path) == segment
