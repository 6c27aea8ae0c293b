"""A read model that is filled beside the live one holds the same rows, whatever else is done."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.store import background_fold
from ledger.store.job_runs import job_alone
from projections.application import Engagements
from projections.views import beside, filling, read_model
from projections.views.read_model import ReadModel
from tests.store.writes import USERS, WRITES, Write, record
from tests.strategies import HOUR, Clock

INDEXES = {"by_issue_of_user", "by_score", "by_issue", "by_last_interaction", "by_rank"}


@contextmanager
def in_small_steps(folder: Path | str) -> Iterator[tuple[Engagements, Clock]]:
    """A ledger that folds only when it is told to, and then a few events at a time."""
    clock = Clock()
    with ExitStack() as held:
        for module, name, value in (
            (background_fold, "TAIL_AT_MOST", 10**9),
            (background_fold, "TURN_SECONDS", 0),
            (filling, "TURN_SECONDS", 0),
            (filling, "FILLED_FROM", 1),
            (filling, "COPIED_AT_ONCE", 3),
            (filling, "FOLDED_AT_ONCE", 4),
        ):
            held.enter_context(mock.patch.object(module, name, value))
        url = f"sqlite:///{folder}/ledger.db"
        yield held.enter_context(Engagements(url, clock=clock)), clock


def filled_from(events: int) -> Any:
    return mock.patch.object(filling, "FILLED_FROM", events)


def catch_up(engagements: Engagements, is_ended: Callable[[], bool]) -> bool:
    return filling.catch_up(engagements.ledger.database, ReadModel, is_ended)


def rows(folder: Path | str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"{folder}/ledger.db")) as connection:
        return list(connection.execute("SELECT * FROM engagements ORDER BY id"))


def tables_and_indexes(folder: Path | str) -> tuple[set[str], set[str]]:
    with closing(sqlite3.connect(f"{folder}/ledger.db")) as connection:
        named = connection.execute("SELECT type, name, tbl_name FROM sqlite_master").fetchall()
    of_live = {name for kind, name, table in named if (kind, table) == ("index", "engagements")}
    tables = {name for kind, name, _ in named if kind == "table"}
    return tables, {name[name.index("by_") :] for name in of_live}


def expect_identical(engagements: Engagements) -> None:
    replayed = engagements.replay(repair=False, progress=lambda _: None, afresh=True)
    assert replayed.difference is None
    assert engagements.verify().findings == []


writes = st.lists(st.sampled_from(WRITES), max_size=4)


@given(st.integers(0, 999), writes, st.lists(st.sampled_from([*WRITES, None, None]), max_size=9))
def test_whatever_is_written_while_it_is_filled_it_is_identical(seed, before, between):
    dice = Random(seed)
    with TemporaryDirectory() as folder, in_small_steps(folder) as (engagements, clock):
        for write in (record, *before):
            write(engagements, clock, dice)
        engagements.ledger.fold()
        for _ in range(3):
            record(engagements, clock, dice)
        waiting = list(between)

        def is_ended() -> bool:
            write: Write | None = waiting.pop() if waiting else None
            if write is not None:
                clock.move(HOUR)
                write(engagements, clock, dice)
            return False

        assert catch_up(engagements, is_ended)
        expect_identical(engagements)
        engagements.ledger.fold()
        expect_identical(engagements)
        tables, indexes = tables_and_indexes(folder)
        assert (f"replay_{beside.NEXT}" in tables, indexes) == (False, INDEXES)


def never() -> bool:
    return False


@given(st.integers(0, 999), writes, writes)
def test_filled_rows_are_those_that_are_folded_in_place(seed, before, after):
    dice = Random(seed)
    with TemporaryDirectory() as name:
        folder, copy = Path(name, "filled"), Path(name, "folded")
        folder.mkdir()
        with in_small_steps(folder) as (engagements, clock):
            for write in (record, *before):
                write(engagements, clock, dice)
            engagements.ledger.fold()
            for write in (record, *after, record):
                write(engagements, clock, dice)
        shutil.copytree(folder, copy)
        with in_small_steps(folder) as (engagements, _):
            assert catch_up(engagements, never)
        with in_small_steps(copy) as (engagements, _), filled_from(10**9):
            engagements.ledger.fold()
        assert rows(folder) == rows(copy)


class KilledError(BaseException):
    """What ends a process without a chance to tidy up."""


def killed_after(steps: int) -> Callable[[], bool]:
    left = iter(range(steps))

    def is_ended() -> bool:
        if next(left, None) is None:
            raise KilledError
        return False

    return is_ended


@pytest.fixture
def far_behind(tmp_path) -> Iterator[Engagements]:
    with in_small_steps(tmp_path) as (engagements, clock):
        record(engagements, clock, Random(0))
        engagements.ledger.fold()
        for seed in range(3):
            record(engagements, clock, Random(seed))
        yield engagements


@pytest.mark.parametrize("steps", range(9))
def test_a_filling_that_is_killed_begins_anew(tmp_path, far_behind, steps):
    with suppress(KilledError):
        catch_up(far_behind, killed_after(steps))
    assert catch_up(far_behind, never)
    expect_identical(far_behind)
    assert tables_and_indexes(tmp_path)[1] == INDEXES


def test_a_filling_that_is_ended_leaves_nothing_behind(tmp_path, far_behind):
    before = tables_and_indexes(tmp_path), rows(tmp_path)
    ends = iter([False, False, True])
    assert not catch_up(far_behind, lambda: next(ends))
    assert (tables_and_indexes(tmp_path), rows(tmp_path)) == before


def test_two_processes_do_not_fill_at_once(tmp_path, far_behind):
    before = rows(tmp_path)
    with job_alone(far_behind.ledger.database, filling.JOB):
        far_behind.ledger.fold()
    assert rows(tmp_path) == before


def test_what_is_filled_is_no_replay_of_anyones(far_behind):
    seen = []

    def is_ended() -> bool:
        seen.append(far_behind.replays.listed())
        return False

    assert catch_up(far_behind, is_ended)
    assert seen
    assert not any(seen)


# --- faults that it has to catch -----------------------------------------------------------------


def fold_in_place(engagements: Engagements) -> None:
    with filled_from(10**9):
        engagements.ledger.fold()


def forget_all(engagements: Engagements) -> None:
    for user in USERS:
        engagements.erase(user)


FAULTS = {
    "does not look whether the live one was folded": (
        (filling._Filling, "_expect", lambda *_: None),
        fold_in_place,
        1,
    ),
    "keeps what is forgotten meanwhile": ((read_model, "besides", lambda _: []), forget_all, 6),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("is_planted", [False, True])
def test_a_planted_fault_is_caught(far_behind, fault, is_planted):
    what, meanwhile, step = FAULTS[fault]
    steps = count()

    def is_ended() -> bool:
        if next(steps) == step:
            meanwhile(far_behind)
        return False

    with mock.patch.object(*what) if is_planted else nullcontext():
        assert catch_up(far_behind, is_ended)
    replayed = far_behind.replay(repair=False, progress=lambda _: None)
    assert (replayed.difference is not None) == is_planted
