"""However the clock jumps, after the repair all answers are those of a list that applies R8."""

from itertools import product
from typing import Any

import pytest

from bot.clocks import guard
from ledger.events import Corrections
from ledger.instants import DAY
from ledger.store import clock_corrections, compaction, event_queries, retention
from projections.read_model import adopted_policies, full_fold, past_queries, snapshots
from tests.support.trials.compaction_model import DONE, some_touches, try_histories
from tests.support.trials.counts import count, tell
from tests.support.trials.jumping_clocks import LITTLE, Clocks
from tests.support.trials.questions import LABORIOUS

pytestmark = pytest.mark.trial

PARTS = count(full=4, small=1)
"""The parts of the trial, which can run in parallel."""

HISTORIES = count(full=12, small=2) // PARTS
STEPS = count(full=20, small=8)


@pytest.fixture(autouse=True)
def from_nothing():
    DONE.clear()


def run(histories: int, **how: Any) -> None:
    try_histories(Clocks, histories, STEPS, **how)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_however_the_clock_jumps_every_answer_is_right_once_it_is_mended(part):
    run(HISTORIES)
    tell(f"part {part}: {dict(DONE)}")
    assert DONE["histories"] >= HISTORIES


# --- planted faults ------------------------------------------------------------------------------


def known_history(*, is_sealed: bool = False, ahead: int = 3_650 * DAY) -> None:
    """Let people talk and adopt a policy while the clock is ahead; then repair the ledger."""
    state = Clocks()
    try:
        state.begin(seed=1, batch=some_touches(8, 1))
        state._set(ahead)
        state._record(some_touches(12, 3))
        state._adopt("recency_weight=0.8")
        if is_sealed:
            state._compact(1.0, 100)
        state._work()
        state._set(0)
        state._repair()
        state._work()
        state.compared(LABORIOUS + 1, lambda: None)
        state.switch()
        state.reopen(names={"engagements"})
        state.weeks_pass(by=92 * DAY, batch=[])
        assert (
            state.engagements.maintenance.replay(repair=False, progress=lambda _: None).difference
            is None
        )
    finally:
        state.engagements.close()
        state.folder.cleanup()


@pytest.mark.parametrize("is_sealed", [False, True][: count(full=2, small=1)])
def test_nothing_is_wrong_with_the_known_history(is_sealed):
    known_history(is_sealed=is_sealed)
    assert DONE["repaired"] == 1


def test_a_guard_that_believes_the_clock_is_caught(monkeypatch):
    monkeypatch.setattr(guard, "check", lambda _: None)
    with pytest.raises(AssertionError):
        known_history()


def test_a_repair_that_leaves_job_runs_is_caught(monkeypatch):
    monkeypatch.setattr(clock_corrections, "take_back_runs", lambda *_: 0)
    with pytest.raises(AssertionError):
        known_history(ahead=LITTLE)


HOT = (event_queries, adopted_policies, compaction, retention, full_fold)
SEALED = (past_queries, full_fold, event_queries, snapshots)
HOW_MANY = count(full=5, small=1)
READERS = [*product(HOT[:HOW_MANY], [False]), *product(SEALED[:HOW_MANY], [True])]


@pytest.mark.parametrize(("reader", "is_sealed"), READERS)
def test_a_reader_that_uses_raw_instants_is_caught(reader, is_sealed, monkeypatch):
    monkeypatch.setattr(reader, "corrections", lambda _: Corrections())
    with pytest.raises(AssertionError):
        known_history(is_sealed=is_sealed)
