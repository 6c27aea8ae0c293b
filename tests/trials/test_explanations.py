"""Explanations add up to the score bit for bit, for any user, issue, T and K."""

import datetime as dt
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ledger.commands import Interaction, interaction_of
from ledger.instants import DAY, Instant, instant_of, moment_of
from ledger.store.append import Receipt
from projections.application import Engagements
from projections.explanation import Explanation
from projections.policy import changed
from projections.ranking import Ranked
from tests.support.strategies import NOON, Clock
from tests.support.trials.counts import FULL, chance, count, real_history, tell
from tests.trials.test_real_histories import Row, rows_of

pytestmark = pytest.mark.trial

QUESTIONS = count(full=1_000, small=100)
BATCH, OVERRIDES = 500, 30
BATCHES, TOUCHES = count(full=60, small=12), count(full=400, small=60)
POLICIES = ("recency_weight=0.8", "kinds=query,mention", "pin_hours=8", "decay_after_days=10")


class Asked(NamedTuple):
    """A question, in which T and K are optional."""

    user: str
    issue: str
    at: dt.datetime | None
    known_at: dt.datetime | None


class History(NamedTuple):
    """A ledger with late touches, overrides and several policies."""

    engagements: Engagements
    clock: Clock
    begun_at: int
    asked_of: list[tuple[str, str]]
    """Users and issues for the questions; some of the issues were never touched."""


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    clock, dice = Clock(), chance()
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=clock) as engagements:
        for number in range(BATCHES):
            _record(engagements, [_touch(dice, clock.at) for _ in range(TOUCHES)], number, dice)
            clock.move(dice.choice([1, DAY // 2, 3 * DAY, 12 * DAY]))
        asked_of = [(f"u{user}", f"AI-{issue}") for user in range(6) for issue in range(27)]
        yield History(engagements, clock, NOON - 150 * DAY, asked_of)


@pytest.fixture
def real_one(tmp_path: Path) -> Iterator[History]:
    """The history of kafka, a tenth of it late, with overrides and other policies in between."""
    clock, dice = Clock(), chance()
    rows = sorted(
        rows_of(real_history("kafka")),
        key=lambda row: row.at + dt.timedelta(days=dice.choice([0] * 9 + [90])),
    )
    begun_at = min(instant_of(row.at) for row in rows)
    clock.at = begun_at
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=clock) as engagements:
        for number, start in enumerate(range(0, len(rows), BATCH)):
            batch = rows[start : start + BATCH]
            clock.at = max(clock.at, *(instant_of(row.at) for row in batch))
            touches = [_imported(start + place, row) for place, row in enumerate(batch)]
            _record(engagements, touches, number, dice)
            clock.move(1)
        asked_of = [(row.user, row.issue) for row in rows]
        yield History(engagements, clock, begun_at, [*asked_of, ("nobody", "NO-1")])


def _record(
    engagements: Engagements, touches: list[Interaction], number: int, dice: random.Random
) -> None:
    outcomes = engagements.ledger.record_many(touches)
    assert all(isinstance(each, Receipt) for each in outcomes)
    for each in dice.sample(touches, min(OVERRIDES, len(touches))):
        engagements.adjustments.override(each.user_id, each.issue_id, round(dice.random(), 3))
    if number % 3 == 2:
        version = engagements.policies.known_at(None).version
        words = POLICIES[number // 3 % len(POLICIES)]
        policy = changed(engagements.policies.in_force, [words])
        if policy != engagements.policies.in_force:
            engagements.policies.adopt(policy, version)


def _imported(number: int, row: Row) -> Interaction:
    kind = ("query", "view", "mention")[number % 3]
    return interaction_of(row.user, row.issue, kind, occurred_at=row.at, source_key=f"{number}")


def _touch(dice: random.Random, now: int):
    ago = dice.choice([0, DAY // 3, 2 * DAY, 40 * DAY, 130 * DAY]) + dice.randrange(DAY)
    return interaction_of(
        f"u{dice.randrange(5)}",
        f"AI-{dice.randrange(25)}",
        dice.choice(["query", "view", "mention"]),
        occurred_at=moment_of(Instant(now - ago)),
        source_key=f"key {dice.random()}",
    )


def questions(dice: random.Random, history: History) -> Iterator[Asked]:
    def moment() -> dt.datetime | None:
        at = Instant(dice.randrange(history.begun_at, history.clock.at + 100 * DAY))
        return dice.choice([None, moment_of(at), moment_of(at)])

    for _ in range(QUESTIONS):
        yield Asked(*dice.choice(history.asked_of), moment(), moment())


def recomputed(explanation: Explanation) -> float:
    """R4 to R8 and R14 applied to the events of an explanation, independently of the project."""
    policy = explanation.adopted.policy
    if not explanation.interactions:
        return policy.default_score
    counted = [each for each in explanation.interactions if each.kind in policy.kinds]
    override = max(((each.occurred_at, each.value) for each in explanation.overrides), default=None)
    last = max((each.occurred_at for each in counted), default=-1)
    if not counted and override is None:
        return 0.0
    idle_since = max(last, -1 if override is None else override[0])
    days = max(0, (explanation.at - idle_since) // 86_400_000_000)
    frequency = min(1.0, policy.frequency_per_interaction * len(counted))
    recency = math.exp(-policy.recency_rate_per_day * days)
    base = policy.frequency_weight * frequency + policy.recency_weight * recency
    if override is not None and override[0] >= last:
        base = override[1]
    decay = (1 - policy.decay_rate_per_day) ** max(0, days - policy.decay_after_days)
    return round(base * decay, 12)


def mistakes(history: History, dice: random.Random) -> list[str]:
    """The questions whose explanation has another value than the answer, or does not add up."""
    found, overridden, decayed = [], 0, 0
    for asked in questions(dice, history):
        explanation = history.engagements.questions.explain(*asked)
        answer: Ranked = history.engagements.questions.ask(*asked)
        overridden += answer.score.override is not None
        decayed += explanation.days_over > 0
        if explanation.ranked != answer or recomputed(explanation) != answer.score.value:
            found.append(f"{asked}: {explanation.value}, {answer.score.value}")
    tell(f"{QUESTIONS} questions ({overridden} overridden, {decayed} decayed), {len(found)} wrong")
    assert overridden
    assert decayed
    return found


def test_the_parts_of_any_explanation_recompute_to_the_score(history):
    assert mistakes(history, chance()) == []


@pytest.mark.skipif(not FULL, reason="the small count is of the generated history")
def test_the_parts_of_any_explanation_of_a_real_history_recompute_to_the_score(real_one):
    assert mistakes(real_one, chance()) == []
    assert mistakes_of_time(real_one) == []


def test_counting_what_does_not_count_is_caught(history, monkeypatch):
    monkeypatch.setattr("projections.scoring.of_kinds", lambda engagement, _: engagement)
    assert mistakes(history, chance()) != []


@pytest.mark.skipif(not FULL, reason="one planted fault is enough for the small count")
def test_events_that_were_not_known_yet_are_caught(history, monkeypatch):
    monkeypatch.setattr("ledger.as_of.AsOf.sees", lambda self, occurred_at, _: True)
    assert mistakes_of_time(history) != []


def test_a_day_of_decay_too_many_is_caught(history, monkeypatch):
    monkeypatch.setattr(
        "projections.scoring.days_over",
        lambda policy, days: max(0, days + 1 - policy.decay_after_days),
    )
    monkeypatch.setattr("projections.scoring.score_of", _uncached())
    assert mistakes(history, chance()) != []


def _uncached():
    from projections import scoring  # noqa: PLC0415 - what is patched

    return scoring.score_of.__wrapped__


def mistakes_of_time(history: History) -> list[Asked]:
    """Questions whose explanation shows events that had not occurred or were not known."""
    return [
        asked
        for asked in questions(chance(), history)
        for each in history.engagements.questions.explain(*asked).interactions
        if (asked.at is not None and each.occurred_at > instant_of(asked.at))
        or (asked.known_at is not None and each.recorded_at > instant_of(asked.known_at))
    ]


def test_no_explanation_shows_what_had_not_occurred_or_was_not_known(history):
    assert mistakes_of_time(history) == []
