"""A hidden team changes nothing in other chats, the ledger's answers, the doctor and the log."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.cli import linear_findings, recorded_issues
from bot.linear.client import linear
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.hidden_in_ledgers import COMMANDS, Ledgers
from tests.support.trials.hidden_teams import pair

pytestmark = pytest.mark.trial

PAIRS = count(full=300, small=14, more="LEDGER_WORLDS")


@pytest.fixture
def ledgers(tmp_path: Path) -> Ledgers:
    return Ledgers(tmp_path)


def differences(
    ledgers: Ledgers, monkeypatch: pytest.MonkeyPatch, dice: random.Random, pairs: int
) -> Iterator[int]:
    """Yield the numbers of the pairs of worlds that do not look the same."""
    for number in range(pairs):
        command = COMMANDS[number % len(COMMANDS)]
        without, with_hidden = (
            ledgers.sees(world, command, monkeypatch.setattr) for world in pair(dice)
        )
        if without != with_hidden:
            yield number


def test_a_hidden_team_is_seen_nowhere_else(ledgers, monkeypatch):
    assert list(differences(ledgers, monkeypatch, chance(), PAIRS)) == []
    tell(f"{PAIRS} pairs of worlds")


LEAKS = {
    "hidden issues are posted and recorded": (linear, "shown", lambda issue, _=(): issue),
    "hidden issues are shown from the ledger": (
        recorded_issues,
        "may_be_shown",
        lambda *_: True,
    ),
    "the doctor names hidden teams": (linear_findings, "may_be_shown", lambda *_: True),
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_planted_leak_is_seen(ledgers, monkeypatch, leak):
    monkeypatch.setattr(*leak)
    found = differences(ledgers, monkeypatch, random.Random(1), 2 * len(COMMANDS))
    assert next(found, None) is not None
