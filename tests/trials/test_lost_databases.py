"""Databases are lost, emptied and replaced by older and newer ones: nothing sealed is ever gone.

Whatever is recorded, compacted, merged and forgotten in between, each backup that is put back
answers as it did when it was taken, but for the forgotten, who never answer.
"""

import random
from pathlib import Path

import pytest

from ledger import application
from ledger.archive.segment_files import Files
from ledger.instants import Instant
from ledger.store import compaction, retention
from ledger.store.database import Database
from ledger.store.recovery import Recovery
from ledger.store.segment_rows import segments
from tests.support.strategies import HOUR
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.lost_databases import DONE, USERS, World, history

pytestmark = pytest.mark.trial

PARTS = count(full=2, small=1)
"""So that they can run side by side."""

HISTORIES = count(full=30, small=1) // PARTS
STEPS = count(full=30, small=15)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_becomes_of_the_database_nothing_is_gone(tmp_path, part):
    dice = chance()
    DONE.clear()
    for number in range(HISTORIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        history(folder, dice, STEPS)
    tell(f"part {part}: {HISTORIES} histories: {dict(DONE)}")
    assert DONE["histories"] == HISTORIES


# --- planted faults ------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A ledger and a backup from before anything was sealed."""
    return World(tmp_path, random.Random(1))


def seal(world: World) -> None:
    """Seal everything there is, in one segment after the other, merged at once."""
    with world.opened() as engagements, pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "SEALED_AT_ONCE", 3)
        engagements.ledger.compactor.compact(10_000)
    world.note_sealed()


def lost_and_older(world: World) -> None:
    """What was sealed is unknown to the backup that is put back."""
    seal(world)
    world.put_back(world.backups[0])
    world.wait(2 * HOUR)
    world.merge()
    world.check()


def damaged_replacement(world: World) -> None:
    """What a merge has made is damaged before what it replaced is removed."""
    seal(world)
    world.wait(2 * HOUR)
    world.damage()
    with world.opened() as engagements:
        engagements.ledger.compactor.merge()
    world.check_sealed()


def forgotten_and_older(world: World) -> None:
    """One who was forgotten is known to the backup that is put back."""
    world.forget(USERS[0])
    world.put_back(world.backups[0])
    world.check()


@pytest.mark.parametrize("known", [lost_and_older, damaged_replacement, forgotten_and_older])
def test_nothing_is_wrong_with_the_known_histories(world, known):
    DONE.clear()
    known(world)
    assert DONE["damaged"] == (known is damaged_replacement)


def test_a_sweep_that_deletes_what_it_does_not_know_is_caught(world, monkeypatch):
    def old(database: Database) -> retention.Cleared:
        with database.read() as connection:
            names = {each.name for each in segments(connection)}
        for path in database.archive.files.in_place():
            if path.name not in names:
                path.unlink()
        return retention.Cleared()

    monkeypatch.setattr(compaction, "clear_unknown", old)
    with pytest.raises(AssertionError, match="sealed events are gone"):
        lost_and_older(world)


@pytest.mark.parametrize("checks", [True, False])
def test_a_sweep_that_does_not_look_at_the_replacement_is_caught(world, monkeypatch, checks):
    """Where the replacement is not mended first, which does not tell the two apart."""

    def unmended(*_: object) -> Recovery:
        return Recovery()

    def unchecked(database: Database, now: Instant) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Files, "is_sound", lambda *_: True)
            return retention.remove_retired(database, now)

    monkeypatch.setattr(compaction, "recover", unmended)
    if checks:
        damaged_replacement(world)
        return
    monkeypatch.setattr(compaction, "remove_retired", unchecked)
    with pytest.raises(AssertionError, match="sealed events are gone"):
        damaged_replacement(world)


def test_barriers_that_are_not_applied_are_caught(world, monkeypatch):
    monkeypatch.setattr(application, "apply_barriers", lambda *_: None)
    with pytest.raises(AssertionError, match="a backup does not answer as it did"):
        forgotten_and_older(world)
