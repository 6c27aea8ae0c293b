"""Answers through the tail: wherever the watermark stands, they are those of all events.

Two ledgers take the same steps. One folds after each of them, the other on request. In
between they must answer alike, and in the end hold the same rows to the last column.
"""

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
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
from ledger.errors import UnknownEngagementError
from ledger.instants import DAY, Instant, instant_of, moment_of
from ledger.store import projection
from ledger.store.statements import Statement
from projections.application import Engagements, IssueEngagementRepository
from projections.engagement import Engagement
from projections.policy import changed
from projections.read_model import catalog, model, queries
from projections.read_model.model import ReadModel
from projections.scoring import score
from tests.support.sealed_ledgers import small_segments
from tests.support.strategies import HOUR, Clock

a_quarter_as_often = settings(max_examples=settings().max_examples // 4)
"""An example makes two ledgers on disk, and asks them after each step."""

USERS = ("ana", "ben")
ISSUES = tuple(f"AI-{number}" for number in range(6))
POLICIES = (
    *("kinds=query", "kinds=query,view,mention", "pin_hours=8", "pin_hours=0"),
    *("frequency_per_interaction=0.5", "frequency_per_interaction=0.04", "recency_weight=0.7"),
)

Step = tuple[Any, ...]

users, issues = st.sampled_from(USERS), st.sampled_from(ISSUES)
touches = st.tuples(
    st.just("record"),
    users,
    issues,
    st.sampled_from(["query", "view", "mention"]),
    st.sampled_from([0, 1, HOUR, DAY, 40 * DAY, 400 * DAY]),
    st.sampled_from([None, "lin-a", "lin-b"]),
    st.sampled_from([None, "said"]),
)
overrides = st.tuples(st.just("override"), users, issues, st.sampled_from([0.0, 0.3, 1.0]))
adoptions = st.tuples(st.just("adopt"), st.sampled_from(POLICIES))
folds = st.tuples(st.just("fold"), st.integers(1, 3))
moves = st.tuples(st.just("move"), st.sampled_from([1, HOUR, DAY, 95 * DAY]))
rare = st.one_of(
    st.tuples(st.just("erase"), users),
    st.tuples(st.just("compact"), st.integers(0, 20)),
    st.tuples(st.just("refresh"), st.none() | users),
    st.tuples(st.just("reopen")),
)
plain = touches | touches | touches | overrides | folds | moves
steps = st.lists(plain | plain | adoptions | rare, max_size=20)


class Pair:
    """Two ledgers with the same events; the first one folds at once."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.paths = [folder / "eager.db", folder / "lazy.db"]
        self.both = [self._open(path) for path in self.paths]

    def _open(self, path: Path) -> Engagements:
        return Engagements(f"sqlite:///{path}", clock=self.clock)

    def close(self) -> None:
        for each in self.both:
            each.close()

    def do(self, step: Step) -> None:
        match step:
            case ("fold", times):
                for _ in range(times):
                    advance(self.both[1])
            case ("move", by):
                self.clock.move(by)
            case ("reopen",):
                self.close()
                self.both = [self._open(path) for path in self.paths]
            case _:
                assert len({repr(do(each, step)) for each in self.both}) == 1
        self.both[0].ledger.fold()


def advance(engagements: Engagements) -> None:
    """Fold a step."""
    with engagements.ledger.database.write() as connection:
        engagements.read_model.advance(connection, engagements.ledger.archive)


def do(engagements: Engagements, step: Step) -> object:  # noqa: PLR0911 - one for each step
    """Take a step, and return what it says."""
    match step:
        case ("record", user, issue, kind, ago, linear_id, context):
            at = moment_of(Instant(engagements.clock.at - ago))  # type: ignore[attr-defined]
            touch = interaction_of(
                user, issue, kind, linear_id=linear_id, context=context, occurred_at=at
            )
            return engagements.ledger.record(touch)
        case ("override", user, issue, value):
            try:
                return engagements.adjustments.override(user, issue, value)
            except UnknownEngagementError:
                return "unknown"
        case ("adopt", assignment):
            in_force = engagements.policies.known_at(None)
            policy = changed(in_force.policy, [assignment])
            return engagements.policies.adopt(policy, in_force.version)
        case ("erase", user):
            return engagements.ledger.erase(user)
        case ("compact", through):
            with small_segments(5):
                return engagements.ledger.compactor.compact(through).events
        case ("refresh", user):
            return engagements.maintenance.refresh_scores(30, user)
    raise AssertionError(step)


VIEW = "SELECT * FROM issue_engagements ORDER BY user_id, issue_id"
SCORE, SCORED_AT = 6, 11


def answers(engagements: Engagements, path: Path) -> list[Any]:
    """Everything that is said of the present."""
    repository = IssueEngagementRepository(engagements)
    said: list[Any] = [engagements.maintenance.count(), engagements.maintenance.count_dormant()]
    for user in USERS:
        said += [engagements.questions.ranking(user), engagements.questions.statistics(user)]
        said += [engagements.questions.top(user, limit) for limit in (1, 3, 20)]
        said += repository.get_all_engagements(user)
        said += [engagements.questions.ask(user, issue) for issue in ISSUES]
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(VIEW).fetchall()
    said += [(*row[:SCORE], *row[SCORE + 1 : SCORED_AT], row[-1]) for row in rows]
    policy = engagements.policies.in_force
    for row in rows:
        engagement = engagements.questions.ask(row[1], row[2]).engagement
        at = dt.datetime.fromisoformat(row[SCORED_AT]).replace(tzinfo=dt.UTC)
        assert row[SCORE] == score(engagement, instant_of(at), policy).value
    return said


def rows(path: Path) -> list[Any]:
    """Every row of every derived table, to the last column."""
    with closing(sqlite3.connect(path)) as connection:
        return [
            connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()  # noqa: S608 - our own words
            for name in ("engagements", "sealed_engagements", "read_models")
        ]


@contextmanager
def pair() -> Iterator[Pair]:
    with TemporaryDirectory() as folder, mock.patch.object(model, "FOLDED_AT_ONCE", 2):
        both = Pair(Path(folder))
        try:
            yield both
        finally:
            both.close()


def try_history(history: Sequence[Step]) -> None:
    """Take the steps, and compare after each of them and in the end."""
    with pair() as both:
        for step in history:
            both.do(step)
            eager, lazy = map(answers, both.both, both.paths)
            assert lazy == eager
        both.both[1].ledger.fold()
        eager, lazy = map(rows, both.paths)
        assert lazy == eager


@a_quarter_as_often
@given(steps)
def test_wherever_the_watermark_stands_the_answers_and_in_the_end_the_rows_are_the_same(history):
    try_history(history)


# --- faults that are easily made -----------------------------------------------------------------


def without_tail() -> list[Any]:
    """A reader that sees only what is stored."""
    return [mock.patch.object(queries, "tail_of_user", return_value=())]


def stored_beside_it() -> list[Any]:
    """A reader that lists the stored engagements beside the merged ones."""
    untouched = queries._untouched

    def all_of_them(
        stored: Statement, connection: Connection, user_id: str, _: object
    ) -> Iterator[tuple[str, Engagement]]:
        return untouched(stored, connection, user_id, ())

    return [mock.patch.object(queries, "_untouched", all_of_them)]


def adoption_before_folding() -> list[Any]:
    """An adoption that leaves rows as they are, with the bands of the policy before."""
    return [mock.patch.object(ReadModel, "fold", return_value=None)]


FAULTS: dict[str, Callable[[], list[Any]]] = {
    each.__name__: each for each in (without_tail, stored_beside_it, adoption_before_folding)
}
UNTIL_CAUGHT = 60


def a_history(dice: Random) -> list[Step]:
    """Some touches, of which the first ones are folded, and perhaps an adoption before the last."""
    touched = [
        ("record", "ana", dice.choice(ISSUES), "query", dice.randrange(3) * DAY, None, None)
        for _ in range(9)
    ]
    adopted = [("adopt", dice.choice(POLICIES))]
    return [*touched[:6], ("fold", 3), *adopted, *touched[6:]]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_caught(fault):
    for seed in range(UNTIL_CAUGHT):
        history = a_history(Random(seed))
        try_history(history)
        with ExitStack() as patches:
            for patch in fault():
                patches.enter_context(patch)
            try:
                try_history(history)
            except AssertionError:
                return
    pytest.fail(f"it was not caught in {UNTIL_CAUGHT} histories")


# --- in the background ---------------------------------------------------------------------------


@pytest.fixture
def engagements(tmp_path: Path) -> Iterator[Engagements]:
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=Clock()) as opened:
        yield opened


def watermark(engagements: Engagements) -> int:
    with engagements.ledger.database.read() as connection:
        return catalog.live(connection).position


def test_a_short_tail_is_left_and_a_longer_one_is_folded_by_the_end(engagements, monkeypatch):
    monkeypatch.setattr(projection, "TAIL_AT_MOST", 5)
    for _ in range(5):
        do(engagements, ("record", "ana", "AI-1", "query", 0, None, None))
    assert watermark(engagements) == 0
    do(engagements, ("record", "ana", "AI-1", "query", 0, None, None))
    engagements.ledger._appender.close()  # which lets the step end that has begun
    assert watermark(engagements) == 6
    assert engagements.questions.ask("ana", "AI-1").engagement.count == 6


def test_a_fold_that_fails_is_tried_again_after_the_next_record(engagements, monkeypatch, caplog):
    monkeypatch.setattr(projection, "TAIL_AT_MOST", 0)
    with monkeypatch.context() as planted:
        planted.setattr(ReadModel, "advance", mock.Mock(side_effect=RuntimeError("ana")))
        do(engagements, ("record", "ana", "AI-1", "query", 0, None, None))
        wait_until_idle(engagements)
    assert [each.getMessage() for each in caplog.records] == ["the tail was not folded"]
    assert watermark(engagements) == 0
    do(engagements, ("record", "ana", "AI-1", "query", 0, None, None))
    wait_until_idle(engagements)
    assert watermark(engagements) == 2


def wait_until_idle(engagements: Engagements) -> None:
    """Wait for the thread that folds: what it is given next begins once it is done."""
    engagements.ledger._appender._folding._thread.submit(lambda: None).result(60)


def test_folding_leaves_known_what_recording_has_read(engagements, monkeypatch):
    reads = mock.Mock(wraps=engagements.ledger._appender._read)
    monkeypatch.setattr(engagements.ledger._appender, "_read", reads)
    for _ in range(3):
        do(engagements, ("record", "ana", "AI-1", "query", 0, None, None))
        engagements.ledger.fold()
    assert reads.call_count == 1


def test_what_another_process_or_an_erasure_wrote_is_read_again(tmp_path):
    with pair_of_one_ledger(tmp_path) as (one, other):
        for _ in range(2):
            for each in (one, other):
                do(each, ("record", "ana", "AI-1", "query", 0, None, None))
        assert [each.questions.ask("ana", "AI-1").engagement.count for each in (one, other)] == [
            4,
            4,
        ]
        one.ledger.erase("ana")
        one.clock.move(1)
        for each in (one, other):
            do(each, ("record", "ana", "AI-1", "query", 0, None, None))
        assert one.questions.ask("ana", "AI-1").engagement.count == 2
        assert one.maintenance.verify().findings == []


@contextmanager
def pair_of_one_ledger(folder: Path) -> Iterator[list[Any]]:
    clock = Clock()
    with ExitStack() as stack:
        url = f"sqlite:///{folder}/ledger.db"
        yield [stack.enter_context(Engagements(url, clock=clock)) for _ in range(2)]
