"""An upgrade is killed at every system call that changes anything; the ledger answers as before.

An upgrade in two transactions, of which a kill may leave the first, has to be caught.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import LedgerError
from tests.trials.forks import KILL, KILLED, Forks, Run, needs_strace
from tests.trials.sizes import chance, count, tell
from tests.trials.upgrading import IN_TWO, VERSIONS, make, said_by

pytestmark = pytest.mark.trial

KILLS = count(full=1_000, small=2)
"""At most so many of each version, at random; in full that is every call."""


@pytest.fixture(scope="module")
def forks(tmp_path_factory) -> Iterator[Forks]:
    made = Forks(tmp_path_factory.mktemp("forks"))
    yield made
    made.close()


@pytest.fixture(params=VERSIONS)
def old(request, tmp_path) -> Path:
    """A folder with a ledger of an older version."""
    folder: Path = tmp_path / f"version-{request.param}"
    make(folder, request.param)
    return folder


def killed(forks: Forks, old: Path, *how: str) -> Iterator[tuple[Run, Path]]:
    """Upgrade a copy again and again, and kill each at another call."""
    copy = old.with_name("copy")
    calls = forks.calls("upgrade", str(_copied(old, copy)), *how)
    places = [(call, each) for call, times in calls.items() for each in range(1, times + 1)]
    chance().shuffle(places)
    for call, number in places[:KILLS]:
        yield forks.disturbed(KILL, call, number, "upgrade", str(_copied(old, copy)), *how), copy


def _copied(old: Path, copy: Path) -> Path:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(old, copy)
    return copy


@needs_strace
def test_whichever_call_it_is_killed_at_the_ledger_answers_as_before(forks, old, tmp_path):
    expected = said_by(_copied(old, tmp_path / "whole"))
    assert expected.findings == []
    found: Counter[str] = Counter()
    for run, copy in killed(forks, old):
        assert run.code in {0, KILLED}, forks.said.read_text()
        assert said_by(copy) == expected, run.call
        found[str(run.call).partition("(")[0]] += 1
    tell(f"{old.name}: {found.total()} kills: {dict(found.most_common())}")


@needs_strace
def test_an_upgrade_in_two_transactions_is_caught(forks, tmp_path):
    make(tmp_path / "old", 4)
    copy = tmp_path / "copy"
    for number in range(1, 100):
        _copied(tmp_path / "old", copy)
        run = forks.disturbed(KILL, "fdatasync", number, "upgrade", str(copy), IN_TWO)
        assert run.call, "the planted fault was not caught"
        try:
            said_by(copy)
        except LedgerError as error:
            tell(f"caught at sync {number}: {error}")
            return
