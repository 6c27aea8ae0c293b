"""An upgrade is killed at every system call that changes anything; the ledger answers as before.

The planted fault, an upgrade in two transactions, of which a kill may leave the first, must be
caught.
"""

from pathlib import Path

import pytest

from ledger.errors import LedgerError
from tests.support.trials.counts import EVERY, count, tell
from tests.support.trials.killing import expect_unharmed, killed_at_syncs
from tests.support.trials.system_calls import needs_strace
from tests.support.trials.upgrades import IN_TWO, VERSIONS, answers_of, make

pytestmark = pytest.mark.trial

KILLS = count(full=EVERY, small=2)
"""The number of kills of the upgrade of each version."""


@pytest.fixture(params=VERSIONS)
def old(request, tmp_path) -> Path:
    """The folder of a ledger of an older version."""
    folder: Path = tmp_path / f"version-{request.param}"
    make(folder, request.param)
    return folder


@pytest.mark.long
@needs_strace
def test_whichever_call_it_is_killed_at_the_ledger_answers_as_before(forks, old):
    expect_unharmed(forks, ("upgrade",), old, answers_of, KILLS)


@needs_strace
def test_an_upgrade_in_two_transactions_is_caught(forks, tmp_path):
    make(folder := tmp_path / "old", 4)
    for number, copy in killed_at_syncs(forks, "upgrade", folder, IN_TWO):
        try:
            answers_of(copy)
        except LedgerError as error:
            tell(f"caught at sync {number}: {error}")
            return
