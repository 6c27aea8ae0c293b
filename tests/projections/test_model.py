"""The read model: after any steps it equals the result of a few lines of plain Python.

Those lines keep every interaction and override in lists and look at all of them for each answer.
"""

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Integer

from ledger.application import EngagementLedger
from ledger.commands import Adoption, Interaction, hiding_of, interaction_of, override_of
from ledger.errors import (
    ClockBehindError,
    InvalidInteractionError,
    LedgerError,
    UnknownEngagementError,
)
from ledger.events import EventRow
from ledger.idempotency import SourceKey
from ledger.instants import DAY, Instant, moment_of
from ledger.store.append import Receipt
from projections.application import Engagements, IssueEngagementRepository
from projections.ranking import Ranked
from projections.read_model import model as read_model
from projections.read_model.model import ReadModel
from projections.read_model.replay import Replay
from projections.read_model.tables import engagements as table
from projections.read_model.tables import metadata
from tests.support import strategies
from tests.support.sealed_ledgers import small_segments
from tests.support.strategies import HOUR, NOON, Clock

half_as_often = settings(max_examples=settings().max_examples // 2)
"""An example makes a ledger or two on disk, which takes its time."""

a_quarter_as_often = settings(max_examples=settings().max_examples // 4)
"""An example writes segments, too."""

USERS = ("4711", "-100200300")
ISSUES = ("AI-1", "AI-2", "DMD-480")

# --- what may be done to a ledger ----------------------------------------------------------------


class Touch(NamedTuple):
    """An interaction, so long before or after the present; None is the instant of recording."""

    user: str
    issue: str
    kind: str
    ago: int | None = None
    key: str | None = None
    linear: str | None = None
    context: str | None = None


class Decision(NamedTuple):
    """An override, now or so long ago."""

    user: str
    issue: str
    score: float
    ago: int | None = None


class Hide(NamedTuple):
    """An issue is hidden or shown again, now or so long ago."""

    user: str
    issue: str
    hidden: bool
    ago: int | None = None
    key: str | None = None


class Batch(NamedTuple):
    """Many interactions in one transaction."""

    touches: tuple[Touch, ...]


class Move(NamedTuple):
    """The clock is moved."""

    by: int


class Refresh(NamedTuple):
    """The score column is brought up to date, of one user or of all."""

    days: int
    user: str | None


class Reopen(NamedTuple):
    """The program is started again."""


class Fold(NamedTuple):
    """The read model is brought up to the head, or only a step nearer."""

    is_whole: bool


Command = Touch | Decision | Hide | Batch | Move | Refresh | Reopen | Fold

users = st.sampled_from(USERS)
issues = st.sampled_from(ISSUES)
agos = st.sampled_from([0, 0, 1, HOUR, DAY, 7 * DAY, 31 * DAY, 95 * DAY, -HOUR, -DAY, -2 * DAY])
touches = st.builds(
    Touch,
    users,
    issues,
    st.sampled_from(["query", "view", "mention"]),
    st.none() | agos,
    st.sampled_from([None, None, "k1", "k2", "k3"]),
    st.sampled_from([None, None, "lin-a", "lin-b"]),
    st.sampled_from([None, "the first", "the second", "e\u0301"]),
)
decisions = st.builds(Decision, users, issues, strategies.scores, st.none() | agos)
hides = st.builds(
    Hide, users, issues, st.booleans(), st.none() | agos, st.sampled_from([None, None, "k1", "k2"])
)
appends = (
    touches
    | touches
    | decisions
    | hides
    | st.builds(Batch, st.lists(touches, max_size=6).map(tuple))
    | st.builds(Fold, st.booleans())
)
moves_on = st.builds(Move, st.sampled_from([0, 1, HOUR, DAY, 5 * DAY, 31 * DAY, 92 * DAY]))
moves = moves_on | st.builds(Move, st.sampled_from([-1, -HOUR, -20 * HOUR, -2 * DAY]))
refreshes = st.builds(Refresh, st.sampled_from([0, 30, 90]), st.none() | users)


# --- what plain Python says ----------------------------------------------------------------------


class Known(NamedTuple):
    """One event as the model keeps it; an override has a score, an interaction a rank."""

    position: int
    user: str
    issue: str
    at: int
    rank: int | None = None
    linear: str | None = None
    context: str | None = None
    score: float | None = None
    recorded_at: int = 0


class Hid(NamedTuple):
    """A hiding as the model keeps it."""

    user: str
    issue: str
    at: int
    hidden: bool
    recorded_at: int


class Model:
    """Everything that was ever recorded, in lists."""

    def __init__(self) -> None:
        self.known: list[Known] = []
        self.hidings: list[Hid] = []
        self.position = 0
        self.keys: dict[str, int] = {}
        self.recorded_at = 0

    def is_behind(self, now: int) -> bool:
        return now < self.recorded_at - DAY

    def touch(self, command: Touch, now: int) -> tuple[int, bool] | None:
        """The position and whether it counts; None where it is refused."""
        recorded_at = max(now, self.recorded_at)
        at = recorded_at if command.ago is None else now - command.ago
        if at > recorded_at + DAY:
            return None
        if command.key in self.keys:
            return self.keys[command.key], False
        position = self._add(
            recorded_at,
            command.user,
            command.issue,
            at,
            ("mention", "view", "query").index(command.kind) + 1,
            command.linear,
            command.context and command.context.replace("e\u0301", "é"),
        )
        if command.key:
            self.keys[command.key] = position
        return position, True

    def decide(self, command: Decision, now: int) -> int | None:
        recorded_at = max(now, self.recorded_at)
        at = now - (command.ago or 0)
        if at > recorded_at + DAY:
            return None
        return self._add(recorded_at, command.user, command.issue, at, score=float(command.score))

    def hide(self, command: Hide, now: int) -> tuple[int, bool] | None:
        """The position and whether it counts; None where it is refused."""
        recorded_at = max(now, self.recorded_at)
        at = recorded_at if command.ago is None else now - command.ago
        if at > recorded_at + DAY:
            return None
        if command.key in self.keys:
            return self.keys[command.key], False
        self.recorded_at = recorded_at
        self.position += 1
        self.hidings.append(Hid(command.user, command.issue, at, command.hidden, recorded_at))
        if command.key:
            self.keys[command.key] = self.position
        return self.position, True

    def _add(self, recorded_at: int, *fields: Any, **more: Any) -> int:
        self.recorded_at = recorded_at
        self.position += 1
        row = Known(self.position, *fields, **more)
        self.known.append(row._replace(recorded_at=recorded_at))
        return self.position

    def as_known_at(self, moment: float) -> "Model":
        """The model as it was at a moment."""
        then = Model()
        then.known = [each for each in self.known if each.recorded_at <= moment]
        then.hidings = [each for each in self.hidings if each.recorded_at <= moment]
        return then

    def touched(self, user: str, issue: str) -> list[Known]:
        return [
            each
            for each in self.known
            if (each.user, each.issue) == (user, issue) and each.rank is not None
        ]

    def engagement(self, user: str, issue: str, until: float, at: int) -> dict[str, Any] | None:
        """The engagement of a user and an issue, scored at `at`; None if there is none."""
        known = [
            each
            for each in self.known
            if (each.user, each.issue) == (user, issue) and each.at <= until
        ]
        interactions = [each for each in known if each.rank is not None]
        if not interactions:
            return None
        last = max(interactions, key=lambda each: (each.at, each.rank, each.position))
        linear = max(((each.at, each.linear) for each in interactions if each.linear), default=None)
        override = max(((each.at, each.score) for each in known if each.rank is None), default=None)
        in_force = override is not None and override[0] >= last.at
        idle_since = max(last.at, override[0]) if override else last.at
        count = len(interactions)
        days = max(0, math.floor((at - idle_since) / DAY))
        base = 0.4 * min(1, 0.2 * count) + 0.6 * math.exp(-0.05 * days)
        if override and in_force:
            base = override[1] or 0.0
        value = round(base * 0.9 ** max(0, days - 30), 12)
        return {
            "issue": issue,
            "ranks": tuple(sum(each.rank == rank for each in interactions) for rank in (1, 2, 3)),
            "first_at": min(each.at for each in interactions),
            "last_at": last.at,
            "last_rank": last.rank,
            "linear": linear and linear[1],
            "override": override and override[1],
            "idle_since": idle_since,
            "score": value,
            "dormant": days > 90 and value < 0.001,
            "id": min(each.position for each in interactions),
            "context": last.context,
            "days": days,
        }

    def hidden(self, user: str, until: float) -> set[str]:
        """The issues whose latest hiding, the last of an instant, hides them."""
        last: dict[str, bool] = {}
        for each in sorted(self.hidings, key=lambda each: (each.at, each.hidden)):
            if each.user == user and each.at <= until:
                last[each.issue] = each.hidden
        return {issue for issue, hidden in last.items() if hidden}

    def ranking(self, user: str, until: float, at: int) -> list[dict[str, Any]]:
        found = [self.engagement(user, issue, until, at) for issue in ISSUES]
        rows = [each for each in found if each is not None]
        return sorted(rows, key=lambda row: (-row["score"], -row["idle_since"], row["issue"]))


SAID = ("issue", "ranks", "first_at", "last_at", "last_rank", "linear", "override", "score")


def said(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in SAID)


def shown(ranked: Ranked) -> tuple[Any, ...]:
    issue, engagement, score, *_ = ranked
    return (
        issue,
        engagement.counts,
        engagement.first_at,
        engagement.last_at,
        engagement.last_kind,
        engagement.linear_id,
        engagement.override,
        score.value,
    )


# --- both, side by side --------------------------------------------------------------------------


class Run:
    """A ledger and the model, to which the same is done."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self.clock = Clock()
        self.model = Model()
        self.engagements = self._open()

    def _open(self) -> Engagements:
        return Engagements(f"sqlite:///{self.path}", clock=self.clock)

    def do(self, command: Command) -> None:
        if isinstance(command, Move):
            self.clock.move(command.by)
        elif isinstance(command, Reopen):
            self.reopen()
        elif isinstance(command, Refresh):
            self._refresh(command)
        elif isinstance(command, Fold):
            self.fold(is_whole=command.is_whole)
        elif isinstance(command, Decision):
            self._decide(command)
        elif isinstance(command, Hide):
            self._hide(command)
        else:
            self._touch(command)

    def reopen(self) -> None:
        self.engagements.close()
        self.engagements = self._open()

    def fold(self, *, is_whole: bool = True) -> None:
        if is_whole:
            self.engagements.ledger.fold()
        else:
            with self.engagements.ledger.database.write() as connection:
                archive = self.engagements.ledger.archive
                self.engagements.read_model.advance(connection, archive)

    def compare(self) -> Replay:
        return self.engagements.maintenance.replay(repair=False, progress=lambda _: None)

    def repair(self) -> Replay:
        return self.engagements.maintenance.replay(repair=True, progress=lambda _: None)

    def _refresh(self, command: Refresh) -> None:
        idle = self.engagements.maintenance.refresh_scores(command.days, command.user)
        expected = 0
        for user in USERS if command.user is None else [command.user]:
            rows = self.model.ranking(user, math.inf, self.clock.at)
            expected += sum(row["days"] > command.days for row in rows)
        assert idle == expected

    def _moment(self, ago: int | None) -> Any:
        return None if ago is None else moment_of(Instant(self.clock.at - ago))

    def _interaction(self, touch: Touch) -> Interaction:
        return interaction_of(
            touch.user,
            touch.issue,
            touch.kind,
            occurred_at=self._moment(touch.ago),
            linear_id=touch.linear,
            context=touch.context,
            source_key=touch.key,
        )

    def _touch(self, command: Touch | Batch) -> None:
        batch = command.touches if isinstance(command, Batch) else (command,)
        interactions = [self._interaction(each) for each in batch]
        try:
            if isinstance(command, Batch):
                outcomes: Sequence[object] = self.engagements.ledger.record_many(interactions)
            else:
                outcomes = [self._recorded(interactions[0])]
        except ClockBehindError:
            assert self.model.is_behind(self.clock.at)
            return
        assert not self.model.is_behind(self.clock.at)
        assert len(outcomes) == len(batch)
        for touch, outcome in zip(batch, outcomes, strict=True):
            expected = self.model.touch(touch, self.clock.at)
            if expected is None:
                assert isinstance(outcome, InvalidInteractionError)
            else:
                assert outcome == Receipt(*expected)

    def _recorded(self, interaction: Interaction) -> Receipt | LedgerError:
        try:
            return self.engagements.ledger.record(interaction)
        except InvalidInteractionError as refusal:
            return refusal

    def _decide(self, command: Decision) -> None:
        override = override_of(
            command.user, command.issue, command.score, occurred_at=self._moment(command.ago or 0)
        )
        try:
            receipt = self.engagements.ledger.record(override)
        except UnknownEngagementError:
            assert not self.model.touched(command.user, command.issue)
        except ClockBehindError:
            assert self.model.is_behind(self.clock.at)
        except InvalidInteractionError:
            assert self.model.decide(command, self.clock.at) is None
        else:
            assert self.model.touched(command.user, command.issue)
            assert receipt == Receipt(self.model.decide(command, self.clock.at) or 0, counted=True)

    def _hide(self, command: Hide) -> None:
        hiding = hiding_of(
            command.user,
            command.issue,
            hidden=command.hidden,
            occurred_at=self._moment(command.ago),
            source_key=None if command.key is None else SourceKey(command.key),
        )
        is_touched = bool(self.model.touched(command.user, command.issue))
        try:
            receipt = self.engagements.ledger.record(hiding)
        except UnknownEngagementError:
            assert not is_touched
        except ClockBehindError:
            assert self.model.is_behind(self.clock.at)
        except InvalidInteractionError:
            assert self.model.hide(command, self.clock.at) is None
        else:
            assert is_touched
            assert (receipt.position, receipt.counted) == self.model.hide(command, self.clock.at)


@contextmanager
def running() -> Iterator[Run]:
    with TemporaryDirectory() as folder, mock.patch.object(read_model, "FOLDED_AT_ONCE", 3):
        run = Run(Path(folder))
        try:
            yield run
        finally:
            run.engagements.close()


def assert_identical(run: Run) -> None:
    replayed = run.compare()
    assert replayed.difference is None
    assert replayed.events + replayed.tail == len(run.model.known)
    run.fold()
    replayed = run.compare()
    assert replayed.difference is None
    assert (replayed.events, replayed.tail) == (len(run.model.known), 0)
    assert replayed.engagements == len({(each.user, each.issue) for each in run.model.known})


def assert_answers_agree(run: Run, at: int | None, known_at: int | None = None) -> None:
    """Ask everything, at the present or of the past, and let the model answer as well."""
    asked_at = next(each for each in (at, known_at, run.clock.at) if each is not None)
    moments = [None if each is None else moment_of(Instant(each)) for each in (at, known_at)]
    model = run.model if known_at is None else run.model.as_known_at(known_at)
    until = math.inf if at is None else at
    for user in USERS:
        rows = model.ranking(user, until, asked_at)
        assert [shown(each) for each in run.engagements.questions.ranking(user, *moments)] == [
            *map(said, rows)
        ]
        hidden = model.hidden(user, until)
        assert run.engagements.questions.hidden(user, *moments) == hidden
        listed = [row for row in rows if row["issue"] not in hidden]
        for limit in (0, 1, 2, 10):
            found = run.engagements.questions.top(user, limit, *moments)
            assert [shown(each) for each in found] == [said(row) for row in listed[:limit]]
        totals = run.engagements.questions.statistics(user, *moments)
        interactions = sum(sum(row["ranks"]) for row in rows)
        assert totals.total_interactions == interactions
        assert totals.unique_issues == len(rows)
        assert totals.avg_interactions_per_issue == (
            round(interactions / len(rows), 2) if rows else 0.0
        )
        assert totals.most_engaged_issues == [row["issue"] for row in listed[:5]]
        assert totals.last_interaction == max((row["last_at"] for row in rows), default=None)
        for issue in ISSUES:
            row = model.engagement(user, issue, until, asked_at)
            found_one = run.engagements.questions.ask(user, issue, *moments)
            if row is None:
                assert (found_one.engagement.count, found_one.score.value) == (0, 0.5)
            else:
                assert shown(found_one) == said(row)


def assert_the_clients_table_agrees(run: Run) -> None:
    """Ask in the words of the client's table, where the context and the id are shown too."""
    repository = IssueEngagementRepository(run.engagements)
    for user in USERS:
        rows = run.model.ranking(user, math.inf, run.clock.at)
        assert [
            (each.id, each.issue_id, each.engagement_score, each.context, each.linear_id)
            for each in repository.get_all_engagements(user)
        ] == [
            (row["id"], row["issue"], row["score"], row["context"], row["linear"] or row["issue"])
            for row in rows
        ]


# --- any steps ------------------------------------------------------------------------------------


@half_as_often
@given(st.lists(appends | moves | refreshes | st.just(Reopen()), max_size=25))
@example([Touch("4711", "AI-1", "query"), Move(-HOUR), Refresh(30, None)])
def test_whatever_is_done_a_replay_finds_the_read_model_identical(commands):
    with running() as run:
        for command in commands:
            run.do(command)
        assert_identical(run)


@half_as_often
@given(st.lists(appends | moves | refreshes | st.just(Reopen()), max_size=25))
def test_whatever_is_done_the_answers_at_the_present_are_those_of_plain_python(commands):
    with running() as run:
        for command in commands:
            run.do(command)
        assert_answers_agree(run, None)
        assert_the_clients_table_agrees(run)


@half_as_often
@given(
    st.lists(appends | moves, max_size=20),
    st.lists(st.integers(-130 * DAY, 200 * DAY) | agos.map(lambda ago: -ago), max_size=4),
)
def test_whatever_is_done_the_answers_at_any_moment_are_those_of_plain_python(commands, moments):
    with running() as run:
        for command in commands:
            run.do(command)
        for moment in moments:
            assert_answers_agree(run, NOON + moment)


asked_moments = st.integers(-130 * DAY, 200 * DAY) | agos.map(lambda ago: -ago)


@half_as_often
@given(
    st.lists(appends | moves, max_size=20),
    st.lists(st.tuples(st.none() | asked_moments, asked_moments), max_size=4),
)
def test_what_was_true_by_what_was_known_is_what_plain_python_says(commands, moments):
    with running() as run:
        for command in commands:
            run.do(command)
        for at, known_at in moments:
            assert_answers_agree(run, None if at is None else NOON + at, NOON + known_at)


hides_of_one = st.builds(
    Hide, st.just(USERS[0]), issues, st.booleans(), st.none() | agos, st.none()
)


@half_as_often
@given(
    st.lists(hides_of_one | hides_of_one | touches | moves_on, min_size=3, max_size=10),
    st.lists(st.tuples(st.none() | asked_moments, st.none() | asked_moments), max_size=3),
    st.integers(0, 12),
)
def test_what_is_hidden_is_left_out_of_lists_at_any_moment_hot_and_sealed(commands, moments, end):
    moments = [[bound if bound is None else NOON + bound for bound in each] for each in moments]
    with running() as run:
        for issue in ISSUES:
            run.do(Touch(USERS[0], issue, "query", 40 * DAY))
        for command in commands:
            run.do(command)
        for at, known_at in [(None, None), *moments]:
            assert_answers_agree(run, at, known_at)
        seal(run, end, 3)
        run.repair()
        assert not run.engagements.maintenance.verify().findings
        for at, known_at in [(None, None), *moments]:
            assert_answers_agree(run, at, known_at)


@half_as_often
@given(st.lists(st.lists(appends, max_size=6), min_size=2, max_size=4))
def test_what_was_answered_is_what_was_known_then(batches):
    with running() as run:
        said_then = []
        for batch in batches:
            for command in batch:
                run.do(command)
            rankings = [run.engagements.questions.ranking(user) for user in USERS]
            said_then.append((moment_of(run.clock.at), rankings))
            run.clock.move(5 * DAY)
        for moment, rankings in said_then:
            assert [
                run.engagements.questions.ranking(user, None, moment) for user in USERS
            ] == rankings


@half_as_often
@given(st.lists(touches, max_size=25))
def test_one_batch_and_one_at_a_time_leave_the_same_read_model(commands):
    with running() as one, running() as many:
        for command in commands:
            one.do(command)
        many.do(Batch(tuple(commands)))
        assert stored(one) == stored(many)


# --- derived tables are brought back -------------------------------------------------------------


def stored(run: Run) -> list[tuple[Any, ...]]:
    """Every row of the read model, the client's view and what is sealed, to the last column.

    Everything is folded before.
    """
    run.fold()
    with closing(sqlite3.connect(run.path)) as connection:
        rows = connection.execute("SELECT * FROM engagements ORDER BY id").fetchall()
        view = connection.execute("SELECT * FROM issue_engagements ORDER BY id").fetchall()
        sealed = connection.execute("SELECT * FROM sealed_engagements ORDER BY 1, 2").fetchall()
    return [*rows, *view, *sealed]


def definitions(run: Run) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(run.path)) as connection:
        return connection.execute(
            "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2"
        ).fetchall()


def drop_what_is_derived(run: Run) -> None:
    """Drop the client's view and every table that calls itself derived."""
    for each in metadata.sorted_tables:
        assert each.info == {"kind": "derived"}
    drop(run, "VIEW issue_engagements", *(f"TABLE {each.name}" for each in metadata.sorted_tables))


def drop(run: Run, *what: str) -> None:
    with closing(sqlite3.connect(run.path)) as connection:
        for each in what:
            connection.execute(f"DROP {each}")
        connection.commit()


def seal(run: Run, through: int, at_once: int) -> None:
    """Seal what is hot up to a position, so many events a segment."""
    with small_segments(at_once):
        run.engagements.ledger.compactor.compact(through)


def assert_brought_back(run: Run) -> None:
    tables_before = definitions(run)
    run.engagements.close()
    drop_what_is_derived(run)
    run.reopen()
    assert definitions(run) == tables_before
    assert_identical(run)  # opening has brought it back
    if run.model.known:
        spoil(run, "DELETE FROM engagements")
    assert (run.compare().difference is None) == (not run.model.known)
    assert run.repair().events == len(run.model.known)
    assert_identical(run)


@half_as_often
@given(st.lists(appends | moves, max_size=25))
def test_a_replay_brings_back_what_is_derived_to_the_last_column(commands):
    with running() as run:
        for command in commands:
            run.do(command)
        before = stored(run)
        assert_brought_back(run)
        assert stored(run) == before


@a_quarter_as_often
@given(
    st.lists(appends | moves_on, max_size=25),
    st.lists(st.integers(0, 40), min_size=1, max_size=3),
    st.integers(1, 8),
)
def test_a_replay_brings_back_what_is_derived_of_what_is_sealed_too(commands, ends, at_once):
    with running() as run:
        for command in commands:
            run.do(command)
        hot = stored(run)
        for end in ends:
            seal(run, end, at_once)
        before = stored(run)
        assert before[: len(hot)] == hot  # sealing changes nothing of the read model
        assert_brought_back(run)
        assert stored(run) == before


@a_quarter_as_often
@given(
    st.lists(appends, min_size=1, max_size=15),
    st.integers(0, 20),
    st.sets(st.sampled_from([each.name for each in metadata.sorted_tables])),
)
def test_whichever_derived_tables_are_lost_opening_brings_them_back(commands, end, lost):
    with running() as run:
        for command in commands:
            run.do(command)
        seal(run, end, 3)
        before, tables_before = stored(run), definitions(run)
        run.engagements.close()
        drop(run, *(f"TABLE {name}" for name in sorted(lost)))
        run.reopen()
        assert stored(run) == before
        assert definitions(run) == tables_before
        assert_identical(run)


@half_as_often
@given(st.lists(appends | moves_on | refreshes, max_size=25))
def test_refreshed_scores_come_back_when_they_are_refreshed_again(commands):
    with running() as run:
        for command in commands:
            run.do(command)
        run.engagements.maintenance.refresh_scores(30)
        before = stored(run)
        assert_brought_back(run)
        run.engagements.maintenance.refresh_scores(30)
        assert stored(run) == before


# --- corrupted rows are named, and repaired -------------------------------------------------------

NAMES = [column.name for column in table.columns]
COLUMNS = [name for name in NAMES if name not in {"stream", "issue_id"}]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A ledger with two engagements, one of them overridden."""
    run = Run(tmp_path)
    for command in (
        Touch("4711", "AI-1", "query", 3 * DAY, "k1", "lin-a", "said"),
        Touch("4711", "AI-1", "view", HOUR),
        Touch("4711", "AI-2", "mention"),
        Decision("4711", "AI-1", 0.8),
    ):
        run.do(command)
    run.fold()
    yield run
    run.engagements.close()


def spoil(run: Run, statement: str) -> None:
    with closing(sqlite3.connect(run.path)) as connection:
        assert connection.execute(statement).rowcount > 0
        connection.commit()


@pytest.mark.parametrize("column", COLUMNS)
def test_a_corrupted_column_is_named_and_mended(run, column):
    before = stored(run)
    # A score that was brought up to date may be younger than its row, never older.
    change = f"{column} - 1" if column == "scored_at" else f"COALESCE({column}, 0) + 7"
    if column == "linear_id":
        change = "'lin-z'"
    update = f"UPDATE engagements SET {column} = {change} WHERE issue_id = 'AI-1'"  # noqa: S608 - our own words
    spoil(run, update)
    difference = run.compare().difference
    assert difference is not None
    assert "AI-1" in difference
    assert f" {column} is " in difference
    run.repair()
    assert run.compare().difference is None
    assert stored(run) == before


INTEGERS = [
    column.name
    for column in table.columns
    if isinstance(column.type, Integer) and column.name not in {"id", "stream", "scored_at"}
]


@pytest.mark.parametrize(
    ("column", "value", "issue"),
    [
        ("viewed_at", "-1", "AI-2"),
        ("override", "-1", "AI-2"),
        *((name, f"COALESCE({name}, 0) + 0.5", "AI-1") for name in INTEGERS),
        ("linear_id", "CAST(linear_id AS BLOB)", "AI-1"),
    ],
)
def test_a_value_that_only_columns_take_for_the_same_is_named(run, column, value, issue):
    update = f"UPDATE engagements SET {column} = {value} WHERE issue_id = '{issue}'"  # noqa: S608 - our own words
    spoil(run, update)
    difference = run.compare().difference
    assert difference is not None
    assert f"({issue}): {column} is " in difference


def test_a_missing_row_is_named_and_mended(run):
    before = stored(run)
    spoil(run, "DELETE FROM engagements WHERE issue_id = 'AI-2'")
    assert run.compare().difference == "engagement 3 (AI-2): not in the read model"
    run.repair()
    assert stored(run) == before


@pytest.mark.parametrize("issue", ["AI-0", "AI-11", "ZZ-1"], ids=["first", "between", "last"])
def test_a_row_of_an_engagement_that_never_was_is_named_and_removed(run, issue):
    before = stored(run)
    columns = ", ".join(name for name in NAMES if name not in {"id", "issue_id"})
    copied = f"SELECT 77, '{issue}', {columns} FROM engagements WHERE issue_id = 'AI-1'"  # noqa: S608 - our own words
    spoil(run, f"INSERT INTO engagements (id, issue_id, {columns}) {copied}")
    expected = f"engagement 77 ({issue}): in the read model, but in no event"
    assert run.compare().difference == expected
    run.repair()
    assert stored(run) == before


def test_a_row_whose_issue_was_changed_is_named_and_mended(run):
    before = stored(run)
    spoil(run, "UPDATE engagements SET issue_id = 'ZZ-1' WHERE issue_id = 'AI-1'")
    assert "(AI-1): not in the read model" in (run.compare().difference or "")
    run.repair()
    assert stored(run) == before


def test_a_replay_says_how_far_it_is(run):
    told: list[int] = []
    run.engagements.maintenance.replay(repair=False, progress=told.append)
    run.engagements.maintenance.replay(repair=True, progress=told.append)
    assert sum(told) == 2 * len(run.model.known)


# --- clocks ------------------------------------------------------------------------------------


def test_a_clock_more_than_a_day_behind_the_ledger_is_an_error(run):
    run.clock.move(-DAY)
    run.do(Touch("4711", "AI-3", "query"))
    run.clock.move(-1)
    with pytest.raises(ClockBehindError):
        run.engagements.ledger.record(interaction_of("4711", "AI-3", "query"))
    run.clock.move(1)
    run.do(Touch("4711", "AI-3", "query"))
    assert_identical(run)


# --- a fold that fails ---------------------------------------------------------------------------


class _FailingReadModel(ReadModel):
    """A projection that cannot fold anything."""

    def project(
        self, connection: Connection, rows: Sequence[EventRow], policy_version: int
    ) -> None:
        super().project(connection, rows, policy_version)
        raise RuntimeError


def test_what_the_read_model_cannot_fold_is_recorded_and_answered_all_the_same(tmp_path):
    path = tmp_path / "ledger.db"
    with EngagementLedger(f"sqlite:///{path}", projection=_FailingReadModel()) as ledger:
        interaction = interaction_of("4711", "AI-1", "query", context="c", source_key="k")
        assert ledger.record(interaction) == Receipt(1, counted=True)
        with pytest.raises(RuntimeError):
            ledger.fold()
        with pytest.raises(RuntimeError):
            ledger.record(Adoption({"pin_hours": 8.0}, 1))
    with closing(sqlite3.connect(path)) as connection:
        counts = [
            connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0]  # noqa: S608 - our own words
            for name in ("events", "sources", "origins", "accounts", "streams", "engagements")
        ]
        assert counts == [1, 1, 1, 1, 1, 0]
        (watermark,) = connection.execute("SELECT position FROM read_models").fetchone()
        assert watermark == 0
    with Engagements(f"sqlite:///{path}") as engagements:
        assert [each.issue_id for each in engagements.questions.top("4711")] == ["AI-1"]
        assert engagements.ledger.record(interaction) == Receipt(1, counted=False)
        engagements.ledger.fold()
        assert [each.issue_id for each in engagements.questions.top("4711")] == ["AI-1"]
