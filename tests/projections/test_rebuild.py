"""Replays into read models beside the live one: they end up equal, under all other writes."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.commands import interaction_of
from ledger.errors import (
    InvalidReplayError,
    LedgerError,
    LedgerUnavailableError,
    ReplayRefusedError,
    UnknownReplayError,
)
from ledger.instants import DAY, Instant, moment_of
from ledger.store.database import Database
from projections.application import Engagements
from projections.policy import changed
from projections.read_model import model, rebuild, replay
from projections.read_model.catalog import statements_of
from projections.read_model.compare import place_of
from projections.read_model.engagement_rows import COLUMNS, LIVE, TableStatements
from projections.read_model.full_fold import folds
from projections.read_model.model import values
from tests.support.strategies import HOUR, Clock

a_tenth_as_often = settings(max_examples=settings().max_examples // 10)
"""An example makes a ledger on disk and goes through it several times."""

USERS = ("ana", "ben", "eve")
ISSUES = ("AI-1", "AI-2", "DMD-480")
NAMES = ("one", "two")
POLICIES = (["pin_hours=8"], ["kinds=query"], ["frequency_per_interaction=0.07"])

Row = tuple[Any, ...]


class Stopped(Exception):  # noqa: N818 - it stands for a kill, not for an error
    """The process ends here."""


def stop(_: int) -> None:
    """A progress that ends the process where it is first told."""
    raise Stopped


class Run:
    """A ledger with small chunks, on which anything may be done."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self.clock = Clock()
        self.engagements = self.open()

    def open(self) -> Engagements:
        return Engagements(f"sqlite:///{self.path}", clock=self.clock)

    def reopen(self) -> None:
        self.engagements.close()
        self.engagements = self.open()

    def touch(self, user: str, issue: str, kind: str = "query", ago: int = 0) -> None:
        at = moment_of(Instant(self.clock.at - ago))
        self.engagements.ledger.record(interaction_of(user, issue, kind, occurred_at=at))

    def override(self, user: str, issue: str, score: float) -> None:
        self.engagements.adjustments.override(user, issue, score)

    def adopt(self, changes: list[str]) -> None:
        known = self.engagements.policies.known_at(None)
        self.engagements.policies.adopt(changed(known.policy, changes), known.version)

    def erase(self, user: str) -> None:
        self.engagements.ledger.erase(user)
        self.clock.move(1)

    def refresh(self) -> None:
        self.engagements.maintenance.refresh_scores(30)

    def move(self, by: int) -> None:
        self.clock.move(by)

    def fold_a_chunk(self, name: str) -> None:
        """Begin or go on with a replay, and be killed after a chunk."""
        self.engagements.maintenance.replays.begin(name)
        with suppress(Stopped):
            self.engagements.maintenance.replays.fold(name, stop)

    def build(self, name: str) -> rebuild.Compared:
        self.engagements.maintenance.replays.begin(name)
        self.engagements.maintenance.replays.fold(name)
        return self.engagements.maintenance.replays.compare(name)

    def switch(self, name: str) -> None:
        assert self.build(name).difference is None
        self.engagements.maintenance.replays.switch(name)

    def switch_late(self, name: str) -> None:
        """Switch to one that was compared a while ago."""
        self.engagements.maintenance.replays.switch(name)

    def back(self) -> None:
        self.engagements.maintenance.replays.back()

    def drop(self, name: str) -> None:
        self.engagements.maintenance.replays.drop(name)

    def rows(self, statements: TableStatements = LIVE) -> list[Row]:
        """All rows of a table, the live one's if none is named; that is folded before."""
        if statements is LIVE:
            self.engagements.ledger.fold()
        with self.engagements.ledger.database.read() as connection:
            return [tuple(row) for row in statements.following.run(connection, 0, "")]

    def folded_anew(self, rows: list[Row]) -> list[Row]:
        """The fold of the events, scored at the instants of `rows`."""
        with self.engagements.ledger.database.read() as connection:
            adopted = self.engagements.read_model.policies.in_force(connection)
            folded = [each.row for each in folds(connection, self.engagements.ledger.archive)]
        instants = {row[0]: row[COLUMNS.index("scored_at")] for row in rows}
        anew = (values(each, adopted, instants.get(each.id, 0)) for each in folded)
        return sorted(anew, key=place_of)

    def compare(self) -> replay.Replay:
        return self.engagements.maintenance.replay(repair=False, progress=lambda _: None)

    def tables_of_engagements(self) -> set[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            query = "SELECT name FROM sqlite_master WHERE type = 'table'"
            names = {name for (name,) in connection.execute(query)}
        return {each for each in names if each == "engagements" or each.startswith("replay_")}

    def definitions(self) -> list[Row]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY 1").fetchall()


@contextmanager
def running() -> Iterator[Run]:
    with (
        TemporaryDirectory() as folder,
        mock.patch.object(model, "FOLDED_AT_ONCE", 3),
        mock.patch.object(rebuild, "COMPARED_AT_ONCE", 2),
        mock.patch.object(rebuild, "TURN_SECONDS", 0.0),
        mock.patch.object(replay, "COMPARED_AT_ONCE", 1),
        mock.patch.object(replay, "NOTED_EVERY_SECONDS", 0.0),
    ):
        run = Run(Path(folder))
        try:
            yield run
        finally:
            run.engagements.close()


@pytest.fixture
def run() -> Iterator[Run]:
    """A ledger with nine events of three users."""
    with running() as run:
        for number in range(9):
            run.touch(USERS[number % 3], ISSUES[number // 3], ago=number * DAY)
        run.engagements.ledger.fold()
        yield run


# --- other writes meanwhile -----------------------------------------------------------------------

Step = Callable[[Run], object]


def step(
    what: Callable[..., object], *arguments: st.SearchStrategy[Any]
) -> st.SearchStrategy[Step]:
    return st.tuples(*arguments).map(lambda given: lambda run: what(run, *given))


users, issues, names = map(st.sampled_from, (USERS, ISSUES, NAMES))
kinds = st.sampled_from(["query", "view", "mention"])
agos = st.sampled_from([0, 1, HOUR, DAY, 40 * DAY])
touches = step(Run.touch, users, issues, kinds, agos)
steps = (
    touches
    | touches
    | touches
    | step(Run.override, users, issues, st.sampled_from([0.0, 0.3, 1.0]))
    | step(Run.adopt, st.sampled_from(POLICIES))
    | step(Run.erase, users)
    | step(Run.refresh)
    | step(Run.move, st.sampled_from([1, HOUR, DAY, 31 * DAY]))
    | step(Run.reopen)
    | step(Run.fold_a_chunk, names)
    | step(Run.fold_a_chunk, names)
    | step(Run.build, names)
    | step(Run.switch, names)
    | step(Run.switch_late, names)
    | step(Run.back)
    | step(Run.drop, names | st.just("previous"))
)


def assert_all_hold_what_the_events_say(run: Run) -> None:
    listed = run.engagements.maintenance.replays.listed()
    besides = {f"replay_{each.name}" for each in listed}
    assert run.tables_of_engagements() == {"engagements", *besides}
    for each in listed:
        if each.name in NAMES:
            assert run.build(each.name).difference is None
    tables = [LIVE, *(statements_of(each.name) for each in listed if each.name in NAMES)]
    for rows in map(run.rows, tables):
        assert rows == run.folded_anew(rows)
    assert run.compare().difference is None


def do(run: Run, what: Step) -> None:
    with suppress(LedgerError):  # an unknown engagement or name, nothing to go back to
        what(run)


@a_tenth_as_often
@given(st.lists(steps, max_size=25))
@example([lambda run: run.touch("ana", "AI-1")] * 7 + [lambda run: run.fold_a_chunk("one")])
def test_whatever_happens_meanwhile_all_read_models_hold_what_the_events_say(todo):
    with running() as run:
        for each in todo:
            do(run, each)
        assert_all_hold_what_the_events_say(run)


@a_tenth_as_often
@given(st.lists(steps, max_size=12), st.lists(touches, max_size=5))
def test_going_back_restores_what_was_and_adds_what_came_since(before, since):
    with running() as run:
        for each in before:
            do(run, each)
        run.refresh()  # to one instant, or the two would be scored at different ones
        run.switch("fresh")
        run.refresh()
        switched = run.rows()
        run.back()
        assert run.rows() == switched
        for each in since:
            do(run, each)
        run.refresh()
        live = run.rows()
        run.back()
        run.refresh()
        assert run.rows() == live
        assert_all_hold_what_the_events_say(run)


@a_tenth_as_often
@given(st.lists(touches, max_size=12), users)
def test_who_is_forgotten_is_forgotten_in_every_read_model(todo, user):
    with running() as run:
        for each in todo:
            each(run)
        run.switch("one")
        run.fold_a_chunk("two")
        with closing(sqlite3.connect(run.path)) as connection:
            query = f"SELECT stream FROM accounts WHERE user_id = '{user}'"  # noqa: S608 - our own words
            streams = connection.execute(query).fetchall()
        run.erase(user)
        for name in ("previous", "two"):
            assert not [row for row in run.rows(statements_of(name)) if (row[1],) in streams]
        assert not [row for row in run.rows() if (row[1],) in streams]


def test_what_was_recorded_after_the_comparison_is_there_after_the_switch(run):
    run.build("one")
    run.touch("dan", "AI-9")
    run.adopt(["kinds=view"])
    run.engagements.maintenance.replays.switch("one")
    assert run.compare() == replay.Replay(10, 10, None)


def test_a_replay_goes_on_where_it_was(run):
    told: list[int] = []
    run.fold_a_chunk("one")
    run.reopen()
    assert run.engagements.maintenance.replays.begin("one").position == 3
    run.engagements.maintenance.replays.fold("one", told.append)
    assert told == [6, 9]


def test_what_a_policy_says_is_brought_to_what_was_folded_before(run):
    run.fold_a_chunk("one")
    run.adopt(["kinds=view"])
    assert run.build("one").difference is None
    run.switch("one")
    assert run.compare().difference is None
    assert {row[COLUMNS.index("policy_version")] for row in run.rows()} == {2}


def shapes(run: Run) -> list[str]:
    """The tables and indexes beside the ledger's own, under any names."""
    statements = (sql.replace('"', "") for _, sql in run.definitions() if sql)
    named = re.compile(r"engagements(_\d+)?|replay_[a-z]+")
    return sorted({named.sub("X", sql) for sql in statements})


def test_indexes_have_names_of_their_own_however_often_one_switches(run):
    for _ in range(3):
        run.switch("one")
    run.build("one")
    names = [name for name, _ in run.definitions()]
    assert len(names) == len(set(names))
    assert sum(bool(re.fullmatch(r"engagements.*_by_rank", name)) for name in names) == 3
    shape = shapes(run)
    run.drop("one")
    run.drop("previous")
    assert shapes(run) == shape


# --- asking and recording meanwhile --------------------------------------------------------------


@mock.patch.object(model, "FOLDED_AT_ONCE", 1_000)  # three at once may never meet the head
def test_switching_disturbs_neither_questions_nor_records(run):
    stopped, troubles, asked = Event(), [], [0]

    def until_stopped(work: Callable[[Engagements], object], who: Engagements) -> None:
        try:
            while not stopped.is_set():
                work(who)
                asked[0] += 1
        except BaseException as error:  # noqa: BLE001 - the test shows any error
            troubles.append(error)

    def ask(who: Engagements) -> None:
        assert len(who.questions.top("ana")) == 3
        assert who.questions.ask("ana", "AI-1").engagement.count >= 1

    with run.open() as other:
        works = ((ask, run.engagements), (ask, other), (lambda _: run.touch("ben", "AI-1"), other))
        threads = [Thread(target=until_stopped, args=each) for each in works]
        for thread in threads:
            thread.start()
        for _ in range(3):
            run.switch("one")
            run.back()
        stopped.set()
        for thread in threads:
            thread.join()
    assert troubles == []
    assert asked[0] > 0
    assert_all_hold_what_the_events_say(run)


# --- differences and refusals --------------------------------------------------------------------


def spoil(run: Run, statement: str) -> None:
    with closing(sqlite3.connect(run.path)) as connection:
        assert connection.execute(statement).rowcount > 0
        connection.commit()


SPOILT = [
    *(("engagements", name) for name in COLUMNS if name not in {*COLUMNS[:3], "scored_at"}),
    *(("replay_one", name) for name in ("views", "last_at", "score", "policy_version")),
]


@pytest.mark.parametrize(("table", "column"), SPOILT)
def test_a_column_that_differs_is_named(table, column):
    with running() as run:
        run.touch("ana", "AI-1")
        run.build("one")
        change = "'x'" if column == "linear_id" else f"COALESCE({column}, 0) + 7"
        spoil(run, f"UPDATE {table} SET {column} = {change}")  # noqa: S608 - our own words
        assert "engagement 1 (AI-1): " in (run.build("one").difference or "")


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("engagements", "not in the read model"),
        ("replay_one", "in the read model, but in no event"),
    ],
)
@pytest.mark.parametrize("issue", ISSUES)
def test_a_row_that_one_of_them_lacks_is_named(run, table, found, issue):
    run.build("one")
    spoil(run, f"DELETE FROM {table} WHERE issue_id = '{issue}' AND stream = 1")  # noqa: S608 - our own words
    assert found in (run.build("one").difference or "")


def test_a_read_model_is_not_switched_to_before_it_was_compared(run):
    run.engagements.maintenance.replays.begin("one")
    run.engagements.maintenance.replays.fold("one")
    with pytest.raises(ReplayRefusedError, match="was not compared yet"):
        run.engagements.maintenance.replays.switch("one", different=True)


def test_a_different_one_is_switched_to_only_where_that_is_wanted(run):
    spoil(run, "UPDATE engagements SET views = views + 1")
    assert run.build("one").difference is not None
    with pytest.raises(ReplayRefusedError, match="--different"):
        run.engagements.maintenance.replays.switch("one")
    run.engagements.maintenance.replays.switch("one", different=True)
    assert run.compare().difference is None


def test_there_is_nothing_to_go_back_to_before_a_switch(run):
    with pytest.raises(ReplayRefusedError, match="no previous"):
        run.back()


@pytest.mark.parametrize("name", ["", "One", "1st", "a-b", "a" * 32, "previous", "a\n", 'a"; --'])
def test_what_is_no_name_is_refused(run, name):
    for work in (
        run.engagements.maintenance.replays.begin,
        run.engagements.maintenance.replays.switch,
    ):
        with pytest.raises(InvalidReplayError):
            work(name)
    assert run.tables_of_engagements() == {"engagements"}


def test_a_name_that_no_read_model_has_is_refused(run):
    replays_ = run.engagements.maintenance.replays
    for work in (replays_.fold, replays_.compare, replays_.switch, replays_.drop):
        with pytest.raises(UnknownReplayError):
            work("one")


@pytest.mark.parametrize("lost", ["engagements", "read_models"])
def test_where_a_derived_table_is_lost_no_replay_is_left_lying_about(run, lost):
    run.switch("one")
    run.fold_a_chunk("two")
    before = run.rows()
    with closing(sqlite3.connect(run.path)) as connection:
        connection.execute(f"DROP TABLE {lost}")
        connection.commit()
    run.reopen()
    assert run.tables_of_engagements() == {"engagements"}
    assert run.engagements.maintenance.replays.listed() == []
    assert [row[:13] for row in run.rows()] == [row[:13] for row in before]
    assert run.compare().difference is None


# --- a comparison that is killed -----------------------------------------------------------------


def killed_after(events: int) -> Callable[[int], None]:
    total = 0

    def progress(number: int) -> None:
        nonlocal total
        total += number
        if total > events:
            raise Stopped

    return progress


def kill_comparison(run: Run, events: int) -> None:
    with pytest.raises(Stopped):
        run.engagements.maintenance.replay(repair=False, progress=killed_after(events))


def noted(run: Run) -> list[Row]:
    with closing(sqlite3.connect(run.path)) as connection:
        return connection.execute("SELECT account, events, engagements FROM comparison").fetchall()


def accounts(run: Run) -> list[str]:
    """The accounts in the order in which they are compared."""
    with closing(sqlite3.connect(run.path)) as connection:
        query = "SELECT originator_id FROM streams ORDER BY originator_id"
        return [str(UUID(bytes=each)) for (each,) in connection.execute(query)]


def test_a_comparison_that_was_killed_goes_on(run):
    kill_comparison(run, 4)
    assert noted(run) == [(accounts(run)[0], 3, 3)]
    assert run.compare() == replay.Replay(9, 9, None, resumed_after=3)
    assert noted(run) == []
    assert run.compare() == replay.Replay(9, 9, None)


def test_a_comparison_may_begin_afresh(run):
    kill_comparison(run, 4)
    found = run.engagements.maintenance.replay(repair=False, progress=lambda _: None, afresh=True)
    assert found == replay.Replay(9, 9, None)
    assert noted(run) == []


def test_a_difference_that_a_killed_comparison_found_is_found_again(run):
    second = "(SELECT id FROM streams ORDER BY originator_id LIMIT 1 OFFSET 1)"
    spoil(run, f"UPDATE engagements SET views = views + 1 WHERE stream = {second}")  # noqa: S608 - our own words
    kill_comparison(run, 8)
    assert noted(run) == [(accounts(run)[0], 3, 3)]
    assert run.compare().difference is not None


@pytest.mark.parametrize("work", ["repair", "switch"])
def test_a_note_does_not_outlive_the_table_that_it_is_about(run, work):
    run.build("one")
    kill_comparison(run, 4)
    if work == "repair":
        run.engagements.maintenance.replay(repair=True, progress=lambda _: None)
    else:
        run.engagements.maintenance.replays.switch("one")
    assert run.compare().resumed_after == 0


def test_a_ledger_that_cannot_be_written_is_compared_without_notes(run):
    kill_comparison(run, 4)
    with mock.patch.object(Database, "write", side_effect=LedgerUnavailableError) as write:
        assert run.compare() == replay.Replay(9, 9, None, resumed_after=3)
    write.assert_called_once()  # each attempt would wait for the lock's holder
    assert noted(run) == [(accounts(run)[0], 3, 3)]


def test_what_was_recorded_and_forgotten_since_the_kill_does_no_harm(run):
    kill_comparison(run, 4)
    run.erase("ben")
    run.touch("dan", "AI-9")
    run.touch("ana", "AI-9")
    found = run.compare()
    assert (found.difference, found.resumed_after) == (None, 3)
