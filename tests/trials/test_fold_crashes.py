"""Folding is killed at every system call that changes anything; the next answers are right.

The planted fault, which writes the watermark in a transaction of its own, so that a kill leaves
events both folded and in the tail, must be caught.
"""

from pathlib import Path

import pytest

from tests.support.trials.counts import EVERY, count, tell
from tests.support.trials.fold_steps import APART, BESIDE, answers_of, make
from tests.support.trials.killing import copied, expect_unharmed, killed_at_syncs
from tests.support.trials.system_calls import needs_strace

pytestmark = pytest.mark.trial

KILLS = count(full=EVERY, small=6)


@pytest.fixture
def unfolded(tmp_path) -> Path:
    """The folder of a ledger that has a tail."""
    folder: Path = tmp_path / "unfolded"
    make(folder)
    return folder


@needs_strace
@pytest.mark.parametrize("how", ["", BESIDE])
def test_whichever_call_it_is_killed_at_the_next_reader_is_right(forks, unfolded, how):
    expect_unharmed(forks, ("fold", how), unfolded, answers_of, KILLS)


@needs_strace
def test_a_watermark_in_a_transaction_of_its_own_is_caught(forks, unfolded):
    expected = answers_of(copied(unfolded))
    for number, copy in killed_at_syncs(forks, "fold", unfolded, APART):
        if answers_of(copy) != expected:
            tell(f"caught at sync {number}")
            return
