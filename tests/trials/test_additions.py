"""A new kind, event of an account or instant is added to a copy of the program: in how many files?

The copy then opens a ledger that was written before, with hot and sealed events, and records, folds
one by one and by columns, merges, seals, replays and verifies what is new.
"""

import datetime as dt
from contextlib import closing
from pathlib import Path

import pytest

from ledger.application import EngagementLedger
from ledger.commands import interaction_of, override_of
from projections.read_model.model import ReadModel
from tests.support.trials.counts import FULL, tell
from tests.support.trials.patched_copies import (
    LAST_RECORDED,
    MISTAKEN_FOR_AN_OVERRIDE,
    MUTED,
    OF_THE_OTHER_END,
    REACT,
    WITHOUT_FOLD,
    WITHOUT_UPGRADE,
    Patch,
    changed_in,
    check,
    patched,
)

pytestmark = pytest.mark.trial

ONLY_FULL = pytest.mark.skipif(not FULL, reason="one planted fault is enough for the small count")
MOST_FILES = 4
EARLIER = dt.datetime(2025, 12, 31, 12, tzinfo=dt.UTC)


def earlier_ledger(path: Path) -> str:
    """Write a ledger with this program, some of its events sealed, and return its URL."""
    url = f"sqlite:///{path}"
    with closing(EngagementLedger(url, projection=ReadModel(), clock=lambda: EARLIER)) as ledger:
        for number, kind in enumerate(("mention", "view", "query") * 4):
            touch = interaction_of(("ana", "ben")[number % 2], f"AI-{1 + number % 3}", kind)
            ledger.record(touch)
        ledger.record(override_of("ana", "AI-1", 0.25))
        ledger.compactor.compact(6)
    return url


def try_it(folder: Path, patch: Patch, what: str) -> str:
    """Patch a copy and check it on an earlier ledger; return what it found wrong."""
    copy = patched(folder / "copy", patch)
    assert changed_in(copy) == sorted(patch)
    assert len(changed_in(copy)) <= MOST_FILES
    tell(f"{what}: {len(patch)} files")
    done = check(copy, what, earlier_ledger(folder / "ledger.db"))
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize(
    ("patch", "what"),
    [(REACT, "react"), (MUTED, "muting"), (LAST_RECORDED, "last recorded")],
    ids=["kind", "event", "instant"],
)
def test_an_addition_touches_four_files_at_most_and_works_throughout(tmp_path, patch, what):
    assert try_it(tmp_path, patch, what) == ""


@pytest.mark.parametrize(
    ("patch", "what", "found"),
    [
        (WITHOUT_FOLD, "muting", "KeyError: 'muting'"),
        pytest.param(WITHOUT_UPGRADE, "react", "the table events is not", marks=ONLY_FULL),
        pytest.param(MISTAKEN_FOR_AN_OVERRIDE, "muting", "AssertionError", marks=ONLY_FULL),
        pytest.param(OF_THE_OTHER_END, "last recorded", "AssertionError", marks=ONLY_FULL),
    ],
    ids=["no-fold", "no-upgrade", "no-code", "other-end"],
)
def test_an_addition_that_is_incomplete_is_caught(tmp_path, patch, what, found):
    assert found in try_it(tmp_path, patch, what)
