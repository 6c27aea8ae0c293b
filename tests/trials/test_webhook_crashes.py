"""The intake of webhooks is killed at every system call that changes anything.

No webhook that was acknowledged is missing then; once Linear has sent all of them again, each is
there once. The planted fault, which acknowledges before it records, must be caught.
"""

from pathlib import Path

import pytest

from tests.support.trials.counts import count, tell
from tests.support.trials.killing import copied, expect_unharmed, killed_at_syncs
from tests.support.trials.system_calls import needs_strace
from tests.support.trials.webhook_intake import CHANGES, TOO_EARLY, make, said_by

pytestmark = pytest.mark.trial

KILLS = count(full=120, small=2)
"""Runs; one in eight ends before its call, as two deliveries do not meet in the same way twice."""


@pytest.fixture
def empty(tmp_path) -> Path:
    """The folder of a ledger that no webhook has reached."""
    folder: Path = tmp_path / "intake"
    make(folder)
    return folder


@needs_strace
def test_whichever_call_it_is_killed_at_nothing_acknowledged_is_lost_or_there_twice(forks, empty):
    said = said_by(copied(empty))
    assert (said.lost, said.events) == ([], CHANGES)
    expect_unharmed(forks, ("take_in", ""), empty, said_by, KILLS)


@needs_strace
def test_acknowledging_before_recording_is_caught(forks, empty):
    for number, copy in killed_at_syncs(forks, "take_in", empty, TOO_EARLY):
        if said_by(copy).lost:
            tell(f"caught at sync {number}")
            return
