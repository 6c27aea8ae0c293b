"""Folding is killed at every system call that changes anything; the next reader is right.

Folding with the watermark in a transaction of its own, after which a kill leaves events both folded
and in the tail, has to be caught.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trials.folding import APART, BESIDE, make, said_by
from tests.trials.forks import KILL, KILLED, Forks, Run, needs_strace
from tests.trials.sizes import chance, count, tell

pytestmark = pytest.mark.trial

KILLS = count(full=1_000, small=6)
"""At most so many, at random; in full that is every call."""


@pytest.fixture(scope="module")
def forks(tmp_path_factory) -> Iterator[Forks]:
    made = Forks(tmp_path_factory.mktemp("forks"))
    yield made
    made.close()


@pytest.fixture
def unfolded(tmp_path) -> Path:
    """A folder with a ledger that has a tail."""
    folder: Path = tmp_path / "unfolded"
    make(folder)
    return folder


def killed(forks: Forks, unfolded: Path, how: str) -> Iterator[tuple[Run, Path]]:
    """Fold a copy again and again, and kill each at another call."""
    copy = unfolded.with_name("copy")
    calls = forks.calls("fold", str(_copied(unfolded, copy)), how)
    places = [(call, each) for call, times in calls.items() for each in range(1, times + 1)]
    chance().shuffle(places)
    for call, number in places[:KILLS]:
        yield forks.disturbed(KILL, call, number, "fold", str(_copied(unfolded, copy)), how), copy


def _copied(unfolded: Path, copy: Path) -> Path:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(unfolded, copy)
    return copy


@needs_strace
@pytest.mark.parametrize("how", ["", BESIDE])
def test_whichever_call_it_is_killed_at_the_next_reader_is_right(forks, unfolded, tmp_path, how):
    expected = said_by(_copied(unfolded, tmp_path / "whole"))
    assert expected.findings == []
    found: Counter[str] = Counter()
    for run, copy in killed(forks, unfolded, how):
        assert run.code in {0, KILLED}, forks.said.read_text()
        assert said_by(copy) == expected, run.call
        found[str(run.call).partition("(")[0]] += 1
    tell(f"{how or 'in place'}: {found.total()} kills: {dict(found.most_common())}")


@needs_strace
def test_a_watermark_in_a_transaction_of_its_own_is_caught(forks, unfolded):
    expected, copy = (
        said_by(_copied(unfolded, unfolded.with_name("whole"))),
        unfolded.with_name("copy"),
    )
    for number in range(1, 100):
        _copied(unfolded, copy)
        run = forks.disturbed(KILL, "fdatasync", number, "fold", str(copy), APART)
        assert run.call, "the planted fault was not caught"
        if said_by(copy) != expected:
            tell(f"caught at sync {number}")
            return
