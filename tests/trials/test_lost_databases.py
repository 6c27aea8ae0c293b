"""Databases are lost, emptied and replaced by older and newer ones: no sealed event is lost.

Regardless of what is recorded, compacted, merged and forgotten in between, each restored backup
answers as it did when it was taken, except about forgotten users, of whom nothing is left.
"""

import random
from pathlib import Path

import pytest

from ledger.application import ledger
from ledger.archive.segment_files import Files
from ledger.instants import Instant
from ledger.store import compaction, retention
from ledger.store.database import Database
from ledger.store.recovery import Recovery
from ledger.store.segment_rows import segments
from tests.support.strategies import HOUR
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.lost_databases import DONE, USERS, BackedUpLedger, history

pytestmark = pytest.mark.trial

PARTS = count(full=2, small=1)
"""The parts of the trial, which can run in parallel."""

HISTORIES = count(full=12, small=1) // PARTS
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
def backed_up(tmp_path: Path) -> BackedUpLedger:
    """A ledger, and a backup of it from before anything was sealed."""
    return BackedUpLedger(tmp_path, random.Random(1))


def seal(backed_up: BackedUpLedger) -> None:
    """Seal all events, segment by segment, and merge each at once."""
    with backed_up.opened() as engagements, pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "SEALED_AT_ONCE", 3)
        engagements.ledger.compactor.compact(10_000)
    backed_up.note_sealed()


def lost_and_older(backed_up: BackedUpLedger) -> None:
    """Restore a backup that does not know the sealed segments."""
    seal(backed_up)
    backed_up.put_back(backed_up.backups[0])
    backed_up.wait(2 * HOUR)
    backed_up.merge()
    backed_up.check()


def damaged_replacement(backed_up: BackedUpLedger) -> None:
    """Damage a merged file before the files that it replaced are removed."""
    seal(backed_up)
    backed_up.wait(2 * HOUR)
    backed_up.damage()
    with backed_up.opened() as engagements:
        engagements.ledger.compactor.merge()
    backed_up.check_sealed()


def forgotten_and_older(backed_up: BackedUpLedger) -> None:
    """Restore a backup that still holds a forgotten user."""
    backed_up.forget(USERS[0])
    backed_up.put_back(backed_up.backups[0])
    backed_up.check()


@pytest.mark.parametrize("known", [lost_and_older, damaged_replacement, forgotten_and_older])
def test_nothing_is_wrong_with_the_known_histories(backed_up, known):
    DONE.clear()
    known(backed_up)
    assert DONE["damaged"] == (known is damaged_replacement)


def test_a_sweep_that_deletes_what_it_does_not_know_is_caught(backed_up, monkeypatch):
    def old(database: Database) -> retention.Cleared:
        with database.read() as connection:
            names = {each.name for each in segments(connection)}
        for path in database.archive.files.in_place():
            if path.name not in names:
                path.unlink()
        return retention.Cleared()

    monkeypatch.setattr(compaction, "clear_unknown", old)
    with pytest.raises(AssertionError, match="sealed events are missing"):
        lost_and_older(backed_up)


@pytest.mark.parametrize("checks", [True, False])
def test_a_sweep_that_does_not_look_at_the_replacement_is_caught(backed_up, monkeypatch, checks):
    """Without a repair of the replacement first, which would hide the difference."""

    def unmended(*_: object) -> Recovery:
        return Recovery()

    def unchecked(database: Database, now: Instant) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Files, "is_sound", lambda *_: True)
            return retention.remove_retired(database, now)

    monkeypatch.setattr(compaction, "recover", unmended)
    if checks:
        damaged_replacement(backed_up)
        return
    monkeypatch.setattr(compaction, "remove_retired", unchecked)
    with pytest.raises(AssertionError, match="sealed events are missing"):
        damaged_replacement(backed_up)


def test_barriers_that_are_not_applied_are_caught(backed_up, monkeypatch):
    monkeypatch.setattr(ledger, "apply_barriers", lambda *_: None)
    with pytest.raises(AssertionError, match="a backup does not answer as it did"):
        forgotten_and_older(backed_up)
