"""Worlds that differ only in a hidden team look the same to everyone."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.linear.client import linear, team_keys
from bot.linear.decoding import Failed
from bot.linear.issue import may_be_shown, shown
from bot.linear.issue_decoding import issues_in
from bot.telegram import handlers
from bot.telegram.key_check import Check
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.hidden_teams import COMMANDS, Onlooker, pair

pytestmark = pytest.mark.trial

PAIRS = count(full=1_000, small=10, more="WORLDS")


@pytest.fixture
def onlooker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Onlooker:
    monkeypatch.setattr(handlers, "ranking_chart", lambda *drawn: repr(drawn).encode())
    return Onlooker(tmp_path / "home")


def differences(
    onlooker: Onlooker, monkeypatch: pytest.MonkeyPatch, dice: random.Random, pairs: int
) -> Iterator[int]:
    """Yield the numbers of the pairs of worlds that do not look the same."""
    for number in range(pairs):
        commands = [COMMANDS[number % len(COMMANDS)]]
        without, with_hidden = (
            onlooker.sees(world, commands, monkeypatch.setattr) for world in pair(dice)
        )
        if without != with_hidden:
            yield number


def test_a_hidden_team_changes_nothing_that_anyone_sees(onlooker, monkeypatch):
    assert list(differences(onlooker, monkeypatch, chance(), PAIRS)) == []
    tell(f"{PAIRS} pairs of worlds")


def shown_to_all(issue, _=()):
    return issue


def with_all_blockers(issue, allowed=()):
    return issue if issue is not None and may_be_shown(issue.team, allowed) else None


async def remembered(self, request, keys):
    """As it was: a hidden issue of a batch is not asked for again."""
    answered = await self._ask(request)
    if isinstance(answered, Failed):
        return answered
    for issue in issues_in(answered.value["issues"]["nodes"]):
        if issue.identifier in keys:
            self._remember(issue.identifier, shown(issue, self._allowed))
    return []


def test_old_keys_are_resolved_alike(onlooker, monkeypatch):
    assert list(resolved_otherwise(onlooker, monkeypatch, chance(), PAIRS // 2)) == []


def resolved_otherwise(
    onlooker: Onlooker, monkeypatch: pytest.MonkeyPatch, dice: random.Random, pairs: int
) -> Iterator[int]:
    """Yield the numbers of the pairs of worlds in which old keys are not resolved alike."""
    for number in range(pairs):
        without, with_hidden = (
            onlooker.sees_resolved(world, monkeypatch.setattr) for world in pair(dice)
        )
        if without != with_hidden:
            yield number


def test_hidden_issues_that_are_resolved_are_seen(onlooker, monkeypatch):
    monkeypatch.setattr(linear, "shown", shown_to_all)
    assert next(resolved_otherwise(onlooker, monkeypatch, random.Random(1), 8), None) is not None


MISSING = Check.missing


async def not_in_the_workspace(check):
    """Keys of hidden issues are recorded, as they exist."""
    workspace = check._key_check._look_ups._linear._sender.world.workspace
    return frozenset(key for key in await MISSING(check) if workspace.find(key) is None)


LEAKS = {
    "hidden issues": (linear, "shown", shown_to_all),
    "hidden blockers": (linear, "shown", with_all_blockers),
    "fewer requests": (linear.Linear, "_batch", remembered),
    "recorded keys": (Check, "missing", not_in_the_workspace),
    "hidden team keys": (team_keys, "may_be_shown", lambda *_: True),
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_planted_leak_is_seen(onlooker, monkeypatch, leak):
    monkeypatch.setattr(*leak)
    assert next(differences(onlooker, monkeypatch, random.Random(1), 14), None) is not None
