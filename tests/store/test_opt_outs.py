"""Entries that a user has refused are not recorded, in any order of steps (R2, R11)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.commands import FOREVER, Interaction, OptOut, interaction_of, override_of
from ledger.errors import LedgerError, OptedOutError, UnknownEngagementError
from ledger.idempotency import SourceKey, digest, user_digest
from ledger.instants import Instant, moment_of
from ledger.store.append import Entry, Receipt
from ledger.validation import UserId
from projections.application import Engagements
from tests.support.strategies import HOUR, NOON, Clock

USERS = ("4711", "42", "Zoë")
MESSAGES = 12


@contextmanager
def opened(folder: Path | str, clock: Clock) -> Iterator[Engagements]:
    with Engagements(f"sqlite:///{folder}/ledger.db", clock=clock) as engagements:
        yield engagements


@pytest.fixture
def engagements(tmp_path, clock) -> Iterator[Engagements]:
    with opened(tmp_path, clock) as ledger:
        yield ledger


def said(user: str, at: Instant = NOON, *, issue: str = "AI-1", key: str = "key") -> Interaction:
    return interaction_of(
        user,
        issue,
        "query",
        occurred_at=moment_of(at),
        context=f"said by {user}",
        chat_id=user,
        source_key=f"{user} {key}",
    )


def message(user: str, number: int) -> Interaction:
    """A message that a person sent at its hour; it is the same one whenever it is delivered."""
    at = Instant(NOON + number * HOUR)
    return said(user, at, issue=f"AI-{number % 3}", key=str(number))


def opted_out(user: str) -> OptOut:
    return OptOut(UserId(user), FOREVER)


def opted_in(user: str, at: Instant) -> OptOut:
    return OptOut(UserId(user), at)


# --- the model: a dozen lines that keep everything in sets -----------------------------------


@dataclass
class UserState:
    """The expected knowledge of one person."""

    barriers: list[Instant] = field(default_factory=list)
    opted: Instant | None = None
    visible: set[int] = field(default_factory=set)

    def wants(self, number: int) -> bool:
        at = NOON + number * HOUR
        return all(at >= each for each in [*self.barriers, *([self.opted] if self.opted else [])])


STEPS = st.one_of(
    st.tuples(st.just("deliver"), st.sampled_from(USERS), st.integers(0, MESSAGES)),
    st.tuples(st.just("deliver"), st.sampled_from(USERS), st.integers(0, MESSAGES)),
    st.tuples(st.sampled_from(["out", "in", "erase"]), st.sampled_from(USERS), st.just(0)),
    st.tuples(st.just("move"), st.just(""), st.integers(1, 5)),
)


class Run:
    """The ledger and the model side by side; entries wait for a batch where there are batches."""

    def __init__(self, engagements: Engagements, clock: Clock, *, batches: bool) -> None:
        self.engagements, self.clock, self.batches = engagements, clock, batches
        self.states = {user: UserState() for user in USERS}
        self.waiting: list[tuple[Entry, object]] = []

    def do(self, step: tuple[str, str, int]) -> None:
        what, user, number = step
        if what == "move":
            self.flush()
            self.clock.move(number * HOUR)
        elif what == "erase":
            self.flush()
            self.erase(user)
        elif what == "deliver":
            self.enter(message(user, number), self.delivered(self.states[user], number))
        else:
            at = FOREVER if what == "out" else self.clock.at
            if at == FOREVER or self.states[user].opted == FOREVER:
                self.states[user].opted = at
            self.enter(OptOut(UserId(user), at), True)

    def delivered(self, state: UserState, number: int) -> object:
        if not state.wants(number):
            return OptedOutError
        new = number not in state.visible
        state.visible.add(number)
        return new

    def enter(self, entry: Entry, expected: object) -> None:
        self.waiting.append((entry, expected))
        if not self.batches:
            self.flush()

    def flush(self) -> None:
        outcomes = self.engagements.ledger.record_many([entry for entry, _ in self.waiting])
        for outcome, (_, expected) in zip(outcomes, self.waiting, strict=True):
            found = type(outcome) if isinstance(outcome, LedgerError) else outcome.counted
            assert found == expected
        self.waiting.clear()

    def erase(self, user: str) -> None:
        others = [other for other in USERS if other != user]
        before = [self.answers(other) for other in others]
        self.engagements.ledger.erase(user)
        assert [self.answers(other) for other in others] == before
        self.states[user].barriers.append(self.clock.at)
        self.states[user].visible.clear()

    def answers(self, user: str) -> object:
        asked = self.engagements
        return (
            asked.questions.top(user),
            asked.questions.ranking(user),
            asked.questions.statistics(user),
            asked.questions.ask(user, "AI-1"),
            asked.questions.ranking(user, moment_of(Instant(NOON + 3 * HOUR))),
            list(asked.questions.history(user)),
        )

    def check(self) -> None:
        self.flush()
        for repair in (False, True, False):
            replayed = self.engagements.maintenance.replay(repair=repair, progress=lambda _: None)
            assert replayed.difference is None
        assert replayed.events == sum(len(state.visible) for state in self.states.values())
        for user, state in self.states.items():
            hours = sorted((row.occurred_at - NOON) // HOUR for row in self.rows(user))
            assert hours == sorted(state.visible)
            counts = {each.issue_id: each.engagement.count for each in self.ranking(user)}
            wanted = [f"AI-{number % 3}" for number in state.visible]
            assert counts == {issue: wanted.count(issue) for issue in set(wanted)}
            for number in range(MESSAGES):
                at = Instant(NOON + number * HOUR)
                assert self.engagements.ledger.is_opted_out(user, at) is not state.wants(number)
            known = bool(state.visible or state.barriers or state.opted)
            assert self.engagements.ledger.knows(user) is known

    def rows(self, user: str):
        return self.engagements.questions.known(user)[0]

    def ranking(self, user: str):
        return self.engagements.questions.ranking(user)


@settings(max_examples=max(10, settings().max_examples // 2))
@given(st.lists(STEPS, max_size=25), st.booleans())
def test_nothing_that_a_user_does_not_want_recorded_ever_appears(steps, batches):
    clock = Clock()
    with TemporaryDirectory() as folder, opened(folder, clock) as engagements:
        run = Run(engagements, clock, batches=batches)
        for step in steps:
            run.do(step)
        run.check()


# --- one by one ------------------------------------------------------------------------------


def test_an_opted_out_user_leaves_no_trace_at_all(engagements):
    ledger = engagements.ledger
    assert ledger.record(opted_out("4711")) == Receipt(0, counted=True)
    with pytest.raises(OptedOutError) as refusal:
        ledger.record(said("4711"))
    assert "4711" not in str(refusal.value)
    with ledger.database.read() as connection:
        for table in ("events", "streams", "accounts", "places", "sources", "origins"):
            query = f"SELECT COUNT(*) FROM {table}"  # noqa: S608 - our own words
            assert connection.exec_driver_sql(query).scalar() == 0
        query = "SELECT user_digest, before_at, erased_at, traces FROM opt_outs"
        stored = connection.exec_driver_sql(query).fetchall()
    assert "4711" not in repr(stored)


def test_an_opt_out_counts_for_what_comes_later_in_its_batch(engagements):
    outcomes = engagements.ledger.record_many(
        [
            said("4711", key="a"),
            opted_out("4711"),
            said("4711", key="b"),
            opted_in("4711", NOON),
            said("4711", key="c"),
            said("4711", Instant(NOON - 1), key="d"),
        ]
    )
    assert [type(outcome) for outcome in outcomes] == [
        Receipt,
        Receipt,
        OptedOutError,
        Receipt,
        Receipt,
        OptedOutError,
    ]


def test_what_carries_no_instant_is_recorded_now_and_judged_so(engagements, clock):
    engagements.ledger.erase("4711")
    assert engagements.ledger.record(interaction_of("4711", "AI-1", "query")).counted
    clock.move(-1)  # the ledger's own clock does not go back
    assert engagements.ledger.record(interaction_of("4711", "AI-1", "query")).counted


def test_an_opt_in_never_goes_behind_a_deletion(engagements, clock):
    clock.move(HOUR)
    engagements.ledger.erase("4711")
    engagements.ledger.record(opted_in("4711", Instant(NOON - HOUR)))
    with pytest.raises(OptedOutError):
        engagements.ledger.record(said("4711"))
    assert engagements.ledger.record(said("4711", clock.at)).counted


def test_a_deletion_leaves_an_opt_out_in_force(engagements, clock):
    engagements.ledger.record(opted_out("4711"))
    engagements.ledger.erase("4711")
    clock.move(HOUR)
    with pytest.raises(OptedOutError):
        engagements.ledger.record(said("4711", clock.at))


def test_overrides_of_an_opted_out_user_are_refused(engagements):
    engagements.ledger.record(said("4711"))
    engagements.ledger.record(opted_out("4711"))
    with pytest.raises(OptedOutError):
        engagements.adjustments.override("4711", "AI-1", 0.5)


def test_hidings_of_an_opted_out_user_are_refused(engagements):
    engagements.ledger.record(said("4711"))
    engagements.ledger.record(opted_out("4711"))
    with pytest.raises(OptedOutError):
        engagements.adjustments.hide("4711", "AI-1")
    assert engagements.questions.hidden("4711") == frozenset()


def test_what_was_never_touched_cannot_be_hidden(engagements):
    engagements.ledger.record(said("4711", issue="AI-2"))
    for user in ("4711", "nobody"):
        with pytest.raises(UnknownEngagementError):
            engagements.adjustments.hide(user, "AI-1")
    assert not engagements.ledger.knows("nobody")


def test_an_override_makes_no_account_for_whom_there_is_none(engagements):
    with pytest.raises(UnknownEngagementError):
        engagements.ledger.record(override_of("4711", "AI-1", 0.5))
    assert not engagements.ledger.knows("4711")


def test_an_override_sees_the_interactions_of_its_own_batch(engagements):
    entries = [said("4711"), override_of("4711", "AI-1", 0.5), override_of("4711", "AI-2", 0.5)]
    *_, good, bad = engagements.ledger.record_many(entries)
    assert good == Receipt(2, counted=True)
    assert isinstance(bad, UnknownEngagementError)


def test_users_and_source_keys_of_one_text_have_digests_of_nothing_in_common():
    secret = b"s" * 32
    assert user_digest("4711", secret)[:12] != digest(SourceKey("4711"), secret)[4:]
    assert user_digest("4711", secret) != user_digest("4711", b"t" * 32)
    assert len(user_digest("4711", secret)) == 16
