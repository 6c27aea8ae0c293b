"""A state machine: any operation on a ledger, compactions included, and its model, a list."""

import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from ledger.codec import Origin
from ledger.commands import Interaction, interaction_of, override_of
from ledger.errors import FutureInteractionError, OptedOutError, UnknownEngagementError
from ledger.events import OBSERVATION, POLICY, SEALING
from ledger.instants import DAY, Instant, moment_of
from ledger.store import compaction
from ledger.store.append import Receipt
from projections.application import Engagements
from projections.policy import Adopted, changed, policy_of
from tests.support import strategies
from tests.support.observations import observation
from tests.support.strategies import HOUR, Clock
from tests.support.trials.counts import count
from tests.support.trials.list_model import ListedEvent, ListModel, event_of, told
from tests.support.trials.questions import CHATS, ISSUES, USERS, Question, answers, questions

MOMENTS, MOMENTS_BETWEEN = count(full=100, small=3), count(full=3, small=1)
POLICIES = ("recency_weight=0.8", "kinds=query,mention", "pin_hours=8", "decay_after_days=10")
DERIVED = ("engagements", "sealed_engagements", "read_models", "comparison")

DONE: Counter[str] = Counter()

observed = st.sampled_from([0, 1, DAY, 40 * DAY])
users, issues = st.sampled_from(USERS), st.sampled_from(ISSUES)
AGOS = (None, 0, 0, 1, HOUR, DAY, 7 * DAY, 31 * DAY, 95 * DAY, -HOUR)
TOUCH = {
    "user_id": USERS,
    "issue_id": ISSUES,
    "kind": ("query", "view", "mention"),
    "ago": AGOS,
    "linear_id": (None, None, "lin-a", "lin-b", "lin-\U0001f468", "lin-ﷺ"),
    "context": (None, "the first", "the second"),
    "chat_id": (None, *CHATS),
    "source_key": (None, None, "k1", "k2", "k3", "k4", "k5", "k6"),
}

Touch = dict[str, Any]


def some_touches(number: int, seed: int) -> list[Touch]:
    """The given number of interactions; drawing each by Hypothesis would take most of the time."""
    dice = random.Random(seed)
    return [{name: dice.choice(values) for name, values in TOUCH.items()} for _ in range(number)]


seeds = st.integers(0, 2**32)
batches = st.builds(some_touches, st.integers(1, 12), seeds)


class Compactions(RuleBasedStateMachine):
    """A ledger, and the list of everything recorded in it."""

    moments = MOMENTS

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "ledger.db"
        self.clock, self.list, self.dice = Clock(), ListModel(), random.Random(0)
        self.engagements = self._open()

    @initialize(seed=seeds, batch=st.builds(some_touches, st.integers(5, 25), seeds))
    def begin(self, seed, batch):
        self.dice = random.Random(seed)
        self._record(batch)

    # --- what is recorded ------------------------------------------------------------------------

    @rule(batch=batches, late=st.booleans())
    def record(self, batch, late):
        self._record([each | {"ago": 40 * DAY} for each in batch] if late else batch)

    def _record(self, batch: list[Touch]) -> None:
        interactions = [self._interaction(each) for each in batch]
        outcomes = self.engagements.ledger.record_many(interactions)
        last, keys = len(self.list.notifications), self.list.keys
        expected: list[object] = []
        for touch, each in zip(batch, interactions, strict=True):
            key = touch["source_key"]
            if (refusal := self._refusal(touch["user_id"], each.occurred_at)) is not None:
                expected.append(refusal)
            elif key in keys:
                expected.append(Receipt(keys[key], counted=False))
                DONE["repeated"] += 1
            else:
                last += 1
                keys |= {key: last} if key else {}
                expected.append(Receipt(last, counted=True))
        assert [each if isinstance(each, Receipt) else type(each) for each in outcomes] == expected
        counted = [
            (touch, each)
            for touch, each, outcome in zip(batch, interactions, outcomes, strict=True)
            if isinstance(outcome, Receipt) and outcome.counted
        ]
        for new, (touch, each) in zip(self._told_now(), counted, strict=True):
            source = touch["source_key"]
            origin = Origin(each.context, None, source)
            assert (new.row.issue_id, new.row.kind, new.row.linear_id) == (
                each.issue_id,
                each.kind,
                each.linear_id,
            )
            assert new.row.occurred_at == (each.occurred_at or new.row.recorded_at)
            self.list.told.append(
                new._replace(user=each.user_id, origin=origin, chat=each.chat_id, key=source)
            )

    @rule(number=st.integers(0, len(ISSUES) - 1), priority=st.integers(0, 4), ago=observed)
    def observe(self, number, priority, ago):
        at = Instant(self.clock.at - ago)
        said = observation(number, identifier=ISSUES[number], updated_at=at, priority=priority)
        self.engagements.ledger.record(said)
        DONE["observed"] += len(self._other_news(OBSERVATION))

    @rule(user=users, issue=issues, score=strategies.scores, ago=st.sampled_from(AGOS))
    def override(self, user, issue, score, ago):
        at = Instant(self.clock.at - (ago or 0))
        refusal = self._refusal(user, at)
        if refusal is None and not self.list.touched(user, issue):
            refusal = UnknownEngagementError
        override = override_of(user, issue, score, occurred_at=moment_of(at))
        if refusal is not None:
            with pytest.raises(refusal):
                self.engagements.ledger.record(override)
            return
        self.engagements.ledger.record(override)
        (new,) = self._told_now()
        assert (new.row.occurred_at, new.row.score, new.row.kind) == (at, score, None)
        self.list.told.append(new._replace(user=user))

    @rule(words=st.sampled_from(POLICIES))
    def adopt(self, words):
        policy = changed(self.engagements.policies.in_force, [words])
        self.engagements.policies.adopt(policy, self.list.policies[-1].version)
        (event,) = self._other_news(POLICY)
        assert policy_of(event.fields) == policy
        position = len(self.list.notifications)
        self.list.policies.append(Adopted(event.version, policy, position, event.recorded_at))

    @rule(by=st.sampled_from([0, 1, HOUR, DAY, 5 * DAY, 31 * DAY, 92 * DAY, -HOUR]))
    def move(self, by):
        self.clock.move(by)

    # --- what is compacted -----------------------------------------------------------------------

    @rule(
        fraction=st.sampled_from([0.3, 0.6, 0.9, 1.0]),
        at_once=st.integers(1, 12),
        together=st.integers(1, 3),
        at_most=st.sampled_from([1, 1, 10, 40]),
    )
    def compact(self, fraction, at_once, together, at_most):
        self.compared(MOMENTS_BETWEEN, lambda: self._compact(fraction, at_once, together, at_most))

    @rule(
        fraction=st.sampled_from([0.5, 1.0]), at_once=st.integers(1, 5), at_most=st.integers(2, 40)
    )
    def merge(self, fraction, at_once, at_most):
        def merge() -> None:
            self._compact(fraction, at_once)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(compaction, "MERGED_EVENTS", at_most)
                DONE["merged"] += len(self.engagements.ledger.compactor.merge())

        self.compared(MOMENTS_BETWEEN, merge)

    def _compact(
        self, fraction: float, at_once: int, together: int = 100, at_most: int = 1
    ) -> None:
        through = round(fraction * len(self.list.notifications))
        compactor = self.engagements.ledger.compactor
        expected, before = compactor.sealable(through), len(compactor.segments())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compaction, "SEALED_AT_ONCE", at_once)
            patch.setattr(compaction, "SEALED_TOGETHER", together)
            patch.setattr(compaction, "MERGED_EVENTS", at_most)
            done = compactor.compact(through)
        new = self._other_news(SEALING)
        assert sum(each.events for each in new) == done.events == expected
        assert done.segments == len(compactor.segments()) <= before + len(new)
        assert compactor.sealable(through) == 0
        DONE.update(sealed=done.events, segments=len(new), compactions=bool(new))
        DONE["merged"] += done.segments < before + len(new)

    # --- what is forgotten -----------------------------------------------------------------------

    @rule(user=users)
    def erase(self, user):
        self.engagements.ledger.erase(user)
        self.list.forget(user, self.clock.at)

    @rule(days=st.integers(0, 100))
    def expire(self, days):
        before = Instant(self.clock.at - days * DAY)
        assert self.engagements.ledger.expire_origins(before) == self.list.expire(before)

    # --- what changes nothing --------------------------------------------------------------------

    @rule(names=st.sets(st.sampled_from(DERIVED)))
    def reopen(self, names):
        self.engagements.close()
        with closing(sqlite3.connect(self.path)) as connection:
            for name in sorted(names):
                connection.execute(f"DROP TABLE {name}")
            connection.commit()
        self.engagements = self._open()
        DONE["lost"] += bool(names)

    @rule()
    def fold(self):
        self.engagements.ledger.fold()

    @rule()
    def switch(self):
        replays = self.engagements.maintenance.replays
        replays.begin("again")
        replays.fold("again")
        assert replays.compare("again").difference is None
        replays.switch("again")

    # --- what is asked ---------------------------------------------------------------------------

    def compared(self, moments: int, change: Callable[[], object]) -> None:
        """Ask at some moments before and after a change; the list must give the same answers."""
        originators = [each.originator_id for each in self.list.notifications]
        instants = [*self.list.instants, self.clock.at]
        asked = questions(self.dice, instants, originators, moments)
        before = [answers(self.engagements, each) for each in asked]
        described = self._described(asked)
        for one, said in zip(asked, before, strict=True):
            assert_alike(one, said, self.list.answers(one, self.engagements))
        change()
        assert self._described(asked) == described
        for one, said in zip(asked, before, strict=True):
            assert_alike(one, answers(self.engagements, one), said | self.list.recorded(one))
        DONE["moments"] += len(asked)
        DONE["questions"] += 2 * sum(map(len, before))

    def _described(self, asked: list[Question]) -> list[object]:
        """The issues at Linear, as of the moments of questions."""
        issues = self.engagements.issues
        latest = issues.latest_change(), issues.last_webhook_at()
        return [latest, *(issues.issue(each.issue, *each.moments) for each in asked)]

    def teardown(self):
        try:
            if sys.exc_info()[0] is None:  # otherwise a fault was already found
                self.end()
        finally:
            self.engagements.close()
            self.folder.cleanup()

    def end(self) -> None:
        self.compared(self.moments, lambda: self._compact(self.dice.random(), 5))
        replayed = self.engagements.maintenance.replay(repair=False, progress=lambda _: None)
        assert replayed.difference is None
        folded = replayed.events + replayed.tail
        assert folded == sum(each.user is not None for each in self.list.told)
        DONE["histories"] += 1

    # --- both sides ------------------------------------------------------------------------------

    def _open(self) -> Engagements:
        return Engagements(f"sqlite:///{self.path}", clock=self.clock)

    def _interaction(self, touch: dict[str, Any]) -> Interaction:
        given = dict(touch)
        ago = given.pop("ago")
        at = None if ago is None else moment_of(Instant(self.clock.at - ago))
        return interaction_of(**given, occurred_at=at)

    def _refusal(self, user: str, at: int | None) -> type[Exception] | None:
        recorded_at = max(self.clock.at, self.list.recorded_at)
        if (at or recorded_at) > recorded_at + DAY:
            return FutureInteractionError
        return OptedOutError if (at or recorded_at) < self.list.barred.get(user, 0) else None

    def _news(self) -> Iterator[Any]:
        """The recorder's notifications since it was last asked."""
        known = self.list.notifications
        for each in self.engagements.ledger.recorder.select_notifications(len(known) + 1, 1_000):
            known.append(each)
            assert each.id == len(known)
            self.list.recorded_at = event_of(each).recorded_at
            yield each

    def _told_now(self) -> list[ListedEvent]:
        return [told(each) for each in self._news()]

    def _other_news(self, topic: str) -> list[Any]:
        news = list(self._news())
        assert {each.topic for each in news} <= {topic}
        return [event_of(each) for each in news]


def assert_alike(asked: object, said: dict[str, object], must: dict[str, object]) -> None:
    """Assert that each answer is the expected one."""
    for name, answer in said.items():
        assert answer == must[name], (name, asked)
    assert said.keys() == must.keys()


def try_histories(
    machine: type[RuleBasedStateMachine], histories: int, steps: int, **how: Any
) -> None:
    """Run a state machine for some random histories of at most `steps` steps each."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
            **how,
        ),
    )
