"""Regardless of compactions in between, all answers are those of a plain list."""

from itertools import product
from typing import Any

import pytest

from ledger.archive import parquet, segment_store
from ledger.errors import CertificateError
from ledger.instants import DAY
from ledger.store import sealed_observations
from projections.read_model import certificate, full_fold, snapshots
from projections.read_model.columnar_fold import SEALED
from tests.support.trials.compaction_model import (
    DONE,
    Compactions,
    Touch,
    some_touches,
    try_histories,
)
from tests.support.trials.counts import count, tell
from tests.support.trials.questions import ISSUES, USERS

pytestmark = pytest.mark.trial

PARTS = count(full=4, small=1)
"""The parts of the trial, which can run in parallel."""

HISTORIES = count(full=40, small=2, more="HISTORIES") // PARTS
STEPS = count(full=30, small=15)


@pytest.fixture(autouse=True)
def in_small_pieces(monkeypatch):
    """Use small row groups and batches, so that there are several of each, as in large ledgers."""
    monkeypatch.setattr(parquet, "ROWS_OF_A_GROUP", 3)
    monkeypatch.setattr(snapshots, "_READ_AT_ONCE", 2)
    monkeypatch.setattr(full_fold, "_READ_AT_ONCE", 5)
    DONE.clear()


def run(histories: int, **how: Any) -> None:
    try_histories(Compactions, histories, STEPS, **how)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_is_compacted_every_question_is_answered_as_before(part):
    run(HISTORIES)
    tell(f"part {part}: {dict(DONE)}")
    assert DONE["histories"] >= HISTORIES


# --- planted faults ------------------------------------------------------------------------------


def lose_the_last_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drop the last query of each engagement from the snapshots."""
    insert, at = snapshots._INSERT_SNAPSHOT.run_many, SEALED.index("queried_at")

    def forgetful(connection: Any, rows: Any) -> None:
        insert(connection, [(*row[:at], None, *row[at + 1 :]) for row in rows])

    monkeypatch.setattr(snapshots._INSERT_SNAPSHOT, "run_many", forgetful)


def touches(kind: str, ago: int) -> list[Touch]:
    """A touch of each issue by each user."""
    batch = some_touches(len(USERS) * len(ISSUES), 1)
    told = {"kind": kind, "ago": ago, "source_key": None}
    places = product(USERS, ISSUES)
    return [
        each | told | {"user_id": user, "issue_id": issue}
        for each, (user, issue) in zip(batch, places, strict=True)
    ]


def known_history() -> None:
    """Let all users mention all issues, query them and mention them again; seal all of it."""
    state = Compactions()
    state.moments = 2
    try:
        state.begin(seed=1, batch=[*touches("mention", 2 * DAY), *touches("query", DAY)])
        for number in range(len(ISSUES)):
            state.observe(number=number, priority=1, ago=DAY)
        state.compact(fraction=1.0, at_once=5, together=2, at_most=1)
        state.reopen({"engagements"})  # which is then rebuilt from what is sealed
        state.record(batch=touches("mention", 0), late=False)
        state.compact(fraction=1.0, at_once=5, together=2, at_most=1)
        state.end()
    finally:
        state.engagements.close()
        state.folder.cleanup()


def test_nothing_is_wrong_with_the_known_history():
    known_history()
    assert DONE["compactions"] == 2


def test_a_snapshot_that_loses_the_last_kind_is_never_the_reason_to_delete(monkeypatch):
    lose_the_last_kind(monkeypatch)
    with pytest.raises(CertificateError, match="nothing was deleted"):
        known_history()


def test_a_snapshot_that_loses_the_last_kind_is_caught_by_the_questions_too(monkeypatch):
    lose_the_last_kind(monkeypatch)
    for module, check in ((snapshots, "_expect_read_back"), (certificate, "_expect_certified")):
        monkeypatch.setattr(module, check, lambda *_: None)
    with pytest.raises(AssertionError):
        known_history()


def test_a_segment_that_loses_an_observation_is_caught(monkeypatch):
    monkeypatch.setattr(sealed_observations, "sealed_of", lambda *_: [])
    with pytest.raises(AssertionError):
        known_history()


def test_a_segment_that_loses_an_event_is_caught(monkeypatch):
    opened = segment_store.Archive.read_account
    monkeypatch.setattr(
        segment_store.Archive, "read_account", lambda *given, **named: opened(*given, **named)[1:]
    )
    with pytest.raises(AssertionError):
        known_history()
