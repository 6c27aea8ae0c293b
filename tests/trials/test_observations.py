"""Observations in any order, and a process that is killed while it records them.

The planted faults, a fold by position, a number that is printed before it is durable, and
observations without a key, must be caught.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock
from uuid import uuid4

import pytest

from ledger.idempotency import SourceKey
from ledger.instants import DAY, Instant, moment_of
from ledger.observations import Observation
from ledger.store import issue_streams
from projections import issue_history
from projections.application import Engagements
from tests.support.command_line import CommandLine
from tests.support.observations import DAY_ONE
from tests.support.strategies import Clock
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.invariants import opened
from tests.support.trials.numbered_observations import (
    FAULT,
    ISSUES,
    MINUTE,
    comparable,
    keys_of,
    numbered,
    story,
)
from tests.support.trials.processes import Process, kill_after, lines_of, wait_for_a_line

pytestmark = pytest.mark.trial

OBSERVATIONS = count(full=10_000, small=500)
MOMENTS = count(full=5, small=2)
KILLS = count(full=100, small=2)
RESTARTS = 4
AT_ONCE = 250
MANY = 20_000
"""More observations than are recorded before the kill."""
UNTIL_CAUGHT = 20

# --- any order, repetition and delay -------------------------------------------------------------


class Ledgers(NamedTuple):
    """The same observations in order, and in random order with repetitions and restarts."""

    ordered: Engagements
    shuffled: Engagements
    told: list[Observation]


def recorded(path: Path, told: list[Observation]) -> Engagements:
    clock = Clock()
    clock.at = Instant(DAY_ONE + OBSERVATIONS * MINUTE + DAY)
    size = -(-len(told) // RESTARTS)
    for start in range(0, len(told), size):
        with Engagements(f"sqlite:///{path}", clock=clock) as engagements:
            part = told[start : start + size]
            for begin in range(0, len(part), AT_ONCE):
                engagements.ledger.record_many(part[begin : begin + AT_ONCE])
    return Engagements(f"sqlite:///{path}", clock=clock)


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory) -> Iterator[Ledgers]:
    folder, dice = tmp_path_factory.mktemp("observations"), chance()
    told = story(OBSERVATIONS, dice)
    mixed = [*told, *dice.sample(told, len(told) // 5)]
    dice.shuffle(mixed)
    ordered, shuffled = recorded(folder / "ordered.db", told), recorded(folder / "mixed.db", mixed)
    yield Ledgers(ordered, shuffled, told)
    ordered.close()
    shuffled.close()


def differences(ledgers: Ledgers) -> Iterator[str]:
    """Yield the questions about issues that the two ledgers answer differently."""
    dice = random.Random(1)
    times = [dice.randrange(OBSERVATIONS) * MINUTE for _ in range(MOMENTS)]
    moments = [moment_of(Instant(DAY_ONE + each)) for each in times]
    for key in keys_of(ledgers.told):
        for at in (None, *moments):
            one, other = (
                comparable(each.issues.issue(key, at))
                for each in (ledgers.ordered, ledgers.shuffled)
            )
            if one != other:
                yield f"{key} as of {at}"


def test_any_order_and_repetition_answers_as_the_order_of_saying(ledgers):
    sizes = {each.ledger.size()[0] for each in (ledgers.ordered, ledgers.shuffled)}
    assert sizes == {OBSERVATIONS}
    assert list(differences(ledgers)) == []
    questions = len(keys_of(ledgers.told)) * (1 + MOMENTS)
    tell(f"{len(ledgers.told)} observations, {questions} questions")


def test_replay_and_verify_find_the_shuffled_ledger_sound(ledgers):
    assert (
        ledgers.shuffled.maintenance.replay(repair=False, progress=lambda _: None).difference
        is None
    )
    assert ledgers.shuffled.maintenance.verify().findings == []


def test_a_fold_by_position_is_caught(ledgers):
    with mock.patch.object(issue_history, "order_of", return_value=(0, 0, b"")):
        assert any(differences(ledgers))


# --- killed while recording ----------------------------------------------------------------------


def observe_and_kill(cli: CommandLine, dice: random.Random, how: str = "") -> int:
    """Start recording one by one, kill it, and return how many were acknowledged."""
    process = Process(cli, "observe", f"sqlite:///{cli.ledger}", str(MANY), how)
    wait_for_a_line(process)
    assert kill_after(process, dice.uniform(0, 0.3))
    said = lines_of(process)
    assert said == [str(number) for number in range(len(said))]
    return len(said)


def wrong_after(cli: CommandLine, acknowledged: int) -> list[str]:
    """The faults after a crash, and after recording again all that may be lost."""
    wrong = []
    with Engagements(f"sqlite:///{cli.ledger}") as engagements:
        again = [numbered(number) for number in range(acknowledged + 10)]
        receipts = engagements.ledger.record_many(again)
        counted = [number for number, each in enumerate(receipts) if getattr(each, "counted", True)]
        wrong += [f"missing: {number}" for number in counted if number < acknowledged]
        if engagements.ledger.size()[0] != len(again):
            wrong.append(f"twice: {engagements.ledger.size()[0]} events of {len(again)}")
        for issue in range(min(ISSUES, len(again))):
            last = max(number for number in range(len(again)) if number % ISSUES == issue)
            found = engagements.issues.issue(f"AI-{issue}")
            if found is None or found.at.estimate != last:
                wrong.append(f"AI-{issue} is not as it was described last")
        wrong += [str(each) for each in engagements.maintenance.verify().findings]
        wrong += filter(
            None, [engagements.maintenance.replay(repair=False, progress=lambda _: None).difference]
        )
    with opened(cli.ledger) as connection:
        (names,) = connection.execute("SELECT count(display_name) FROM accounts").fetchone()
        if names != min(7, len(again)):
            wrong.append(f"{names} people have a name")
    return wrong


def fresh(cli: CommandLine) -> None:
    for path in cli.home.glob("ledger.db*"):
        path.unlink()


def test_what_was_acknowledged_survives_the_kill(cli):
    dice, survivors = chance(), 0
    for kill in range(KILLS):
        fresh(cli)
        acknowledged = observe_and_kill(cli, dice)
        survivors += acknowledged
        assert wrong_after(cli, acknowledged) == [], f"kill {kill}"
    tell(f"{KILLS} kills, {survivors} acknowledged observations")


def test_an_acknowledgement_before_the_commit_is_caught(cli):
    dice = chance()
    for kill in range(UNTIL_CAUGHT):
        fresh(cli)
        if "missing" in " ".join(wrong_after(cli, observe_and_kill(cli, dice, FAULT))):
            tell(f"caught by kill {kill + 1}")
            return
    pytest.fail(f"the planted fault was not caught in {UNTIL_CAUGHT} kills")


def test_observations_without_a_key_are_caught(cli, monkeypatch):
    acknowledged = observe_and_kill(cli, chance())
    monkeypatch.setattr(issue_streams, "source_key_of", lambda _: SourceKey(str(uuid4())))
    assert "twice" in " ".join(wrong_after(cli, acknowledged))
