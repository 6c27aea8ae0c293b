"""A read model that is filled beside the live one has the same rows, under all other writes."""

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
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from ledger.commands import interaction_of
from ledger.instants import DAY
from ledger.store import projection
from ledger.store.job_runs import job_alone
from ledger.store.sqlite import StoreConflictError
from ledger.store.streams import Head
from projections.application import Engagements
from projections.read_model import catalog, full_fold, model
from projections.read_model.catalog import Watermark
from projections.read_model.model import ReadModel
from tests.support.every_write import USERS, WRITES, Write, record
from tests.support.strategies import HOUR, Clock
from tests.support.trials import counts

pytestmark = pytest.mark.trial

EXAMPLES = counts.count(full=200, small=10, more="FILLINGS")

INDEXES = {"by_issue_of_user", "by_score", "by_issue", "by_last_interaction", "by_rank"}


@contextmanager
def in_small_steps(folder: Path | str) -> Iterator[tuple[Engagements, Clock]]:
    """A ledger that folds only on request, and then a few events at a time."""
    clock = Clock()
    with ExitStack() as held:
        for module, name, value in (
            (projection, "TAIL_AT_MOST", 10**9),
            (projection, "TURN_SECONDS", 0),
            (model, "TURN_SECONDS", 0),
            (model, "FILLED_FROM", 1),
            (model, "COPIED_AT_ONCE", 3),
            (model, "FILLED_AT_ONCE", 4),  # so that there are several spans
            (model, "WRITTEN_AT_ONCE", 3),
        ):
            held.enter_context(mock.patch.object(module, name, value))
        url = f"sqlite:///{folder}/ledger.db"
        yield held.enter_context(Engagements(url, clock=clock)), clock


def filled_from(events: int) -> Any:
    return mock.patch.object(model, "FILLED_FROM", events)


def catch_up(engagements: Engagements, is_ended: Callable[[], bool]) -> bool:
    return model.catch_up(engagements.ledger.database, ReadModel, is_ended)


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
    replayed = engagements.maintenance.replay(repair=False, progress=lambda _: None, afresh=True)
    assert replayed.difference is None
    assert engagements.maintenance.verify().findings == []


writes = st.lists(st.sampled_from(WRITES), max_size=4)


@settings(max_examples=EXAMPLES)
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
        assert (f"replay_{catalog.NEXT}" in tables, indexes) == (False, INDEXES)


def never() -> bool:
    return False


@settings(max_examples=EXAMPLES)
@given(st.integers(0, 999), writes, writes)
def test_filled_rows_are_those_that_are_folded_in_place(seed, before, after):
    dice = Random(seed)
    with TemporaryDirectory() as name:
        folder, copy = Path(name, "filled"), Path(name, "folded")
        folder.mkdir()
        with in_small_steps(folder) as (engagements, clock):
            for write in before:  # none at times, where all of the ledger is the tail
                write(engagements, clock, dice)
            engagements.ledger.fold()
            for write in (record, *after, record):
                write(engagements, clock, dice)
        shutil.copytree(folder, copy)
        with in_small_steps(folder) as (engagements, _):
            assert catch_up(engagements, never)
            engagements.ledger.fold()  # where the tail is too short to be filled
        with in_small_steps(copy) as (engagements, _), filled_from(10**9):
            engagements.ledger.fold()
        assert rows(folder) == rows(copy)


class KilledError(BaseException):
    """An error that ends a process without a chance to tidy up."""


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


@pytest.mark.parametrize("steps", range(12))
def test_a_filling_that_is_killed_begins_anew(tmp_path, far_behind, steps):
    with suppress(KilledError):
        catch_up(far_behind, killed_after(steps))
    assert catch_up(far_behind, never)
    expect_identical(far_behind)
    assert tables_and_indexes(tmp_path)[1] == INDEXES


def test_a_refreshed_score_stays_where_the_tail_does_not_touch_it(tmp_path):
    with in_small_steps(tmp_path) as (engagements, clock):
        engagements.ledger.record(interaction_of("ana", "AI-1", "view"))
        clock.move(DAY)
        engagements.maintenance.refresh_scores(30)
        before = rows(tmp_path)
        engagements.ledger.record_many([interaction_of("ana", "AI-2", "view")] * 9)
        assert catch_up(engagements, never)
    assert rows(tmp_path)[: len(before)] == before


@pytest.mark.parametrize("step", range(11))
def test_what_is_forgotten_meanwhile_is_not_filled_in(tmp_path, far_behind, step):
    steps = count()

    def is_ended() -> bool:
        if next(steps) == step:
            forget_all(far_behind)
        return False

    assert catch_up(far_behind, is_ended)
    assert next(steps) > step
    assert not rows(tmp_path)
    expect_identical(far_behind)


def test_a_filling_that_is_ended_leaves_nothing_behind(tmp_path, far_behind):
    before = tables_and_indexes(tmp_path), rows(tmp_path)
    ends = iter([False, False, True])
    assert not catch_up(far_behind, lambda: next(ends))
    assert (tables_and_indexes(tmp_path), rows(tmp_path)) == before


def test_two_processes_do_not_fill_at_once(tmp_path, far_behind):
    before = rows(tmp_path)
    with job_alone(far_behind.ledger.database, model.JOB):
        far_behind.ledger.fold()
    assert rows(tmp_path) == before


def test_what_is_being_filled_is_neither_listed_nor_verified(far_behind):
    seen: list[object] = []

    def is_ended() -> bool:
        seen.extend(
            (far_behind.maintenance.replays.listed(), far_behind.maintenance.verify().findings)
        )
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
        engagements.ledger.erase(user)


def record_more(engagements: Engagements) -> None:
    engagements.ledger.record(interaction_of("ana", "AI-1", "query"))


def nothing(_: Engagements) -> None:
    pass


def all_but_the_last_span(*arguments: Any) -> list[tuple[int, int]]:
    return list(SPANS(*arguments))[:-1]


def from_the_event_after_the_next(
    connection: Connection, after: int, upto: int, span: tuple[int, int]
) -> Any:
    return FOLDED_SPAN(connection, after + 1, upto, span)


def up_to_the_head(connection: Connection, beside: Watermark) -> None:
    REPLACE_LIVE(connection, beside._replace(position=Head.read(connection).position))


SPANS, FOLDED_SPAN, REPLACE_LIVE = full_fold.spans, full_fold.folded_span, catalog.replace_live

WRITTEN = 4
"""The step before which some of the tail was written, and some was not."""

FAULTS: dict[str, tuple[tuple[Any, str, Any], Callable[[Engagements], None]]] = {
    "does not look whether the live one was folded": (
        (model._Filling, "_expect", lambda *_: None),
        fold_in_place,
    ),
    "goes on with what is forgotten meanwhile": (
        (model, "drop_next", lambda _: None),
        forget_all,
    ),
    "passes over the last accounts": ((full_fold, "spans", all_but_the_last_span), nothing),
    "passes over an event": ((full_fold, "folded_span", from_the_event_after_the_next), nothing),
    "passes over what is recorded meanwhile": (
        (catalog, "replace_live", up_to_the_head),
        record_more,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("is_planted", [False, True])
def test_a_planted_fault_is_caught(far_behind, fault, is_planted):
    what, meanwhile = FAULTS[fault]
    steps = count()

    def is_ended() -> bool:
        if next(steps) == WRITTEN:
            meanwhile(far_behind)
        return False

    with mock.patch.object(*what) if is_planted else nullcontext():
        assert is_filled_wrongly(far_behind, is_ended) == is_planted
    assert next(steps) > WRITTEN


def is_filled_wrongly(engagements: Engagements, is_ended: Callable[[], bool]) -> bool:
    try:
        assert catch_up(engagements, is_ended)
    except StoreConflictError:
        return True
    return (
        engagements.maintenance.replay(repair=False, progress=lambda _: None).difference is not None
    )
