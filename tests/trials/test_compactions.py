"""Whatever is compacted in between, every question is answered as a plain list answers it."""

from itertools import product
from typing import Any

import pytest

from ledger.archive import parquet, segment_store
from ledger.errors import CertificateError
from ledger.instants import DAY
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
"""So that they can run side by side."""

HISTORIES = count(full=40, small=3, more="HISTORIES") // PARTS
STEPS = count(full=30, small=15)


@pytest.fixture(autouse=True)
def in_small_pieces(monkeypatch):
    """As if all were large: several row groups a segment, several batches of everything."""
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
    """What is kept of what was sealed forgets when each engagement was asked about last."""
    insert, at = snapshots._INSERT_SNAPSHOT.run_many, SEALED.index("queried_at")

    def forgetful(connection: Any, rows: Any) -> None:
        insert(connection, [(*row[:at], None, *row[at + 1 :]) for row in rows])

    monkeypatch.setattr(snapshots._INSERT_SNAPSHOT, "run_many", forgetful)


def touches(kind: str, ago: int) -> list[Touch]:
    """One of each user and issue."""
    batch = some_touches(len(USERS) * len(ISSUES), 1)
    told = {"kind": kind, "ago": ago, "source_key": None}
    places = product(USERS, ISSUES)
    return [
        each | told | {"user_id": user, "issue_id": issue}
        for each, (user, issue) in zip(batch, places, strict=True)
    ]


def known_history() -> None:
    """Everybody names everything and asks about it, and names it once more; all is sealed."""
    state = Compactions()
    state.moments = 5
    try:
        state.begin(seed=1, batch=[*touches("mention", 2 * DAY), *touches("query", DAY)])
        state.compact(fraction=1.0, at_once=5, together=2, at_most=1)
        state.reopen({"engagements"})  # which is made of what is sealed, then
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


def test_a_segment_that_loses_an_event_is_caught(monkeypatch):
    opened = segment_store.Archive.read_account
    monkeypatch.setattr(
        segment_store.Archive, "read_account", lambda *given, **named: opened(*given, **named)[1:]
    )
    with pytest.raises(AssertionError):
        known_history()
