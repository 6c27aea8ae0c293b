"""Hostile titles, names and states on cards and in lists: valid HTML within Telegram's limits."""

import random

import pytest

from bot.linear import cards, facts
from projections.engagement import Engagement
from tests.support.hostile_issues import NASTY, TOUCHED, check_hostile, hostile
from tests.support.telegram.errors import Refusal
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.hostile_updates import HostileUpdates

pytestmark = pytest.mark.trial

TITLES = count(full=100_000, small=500, more="TITLES")
IN_A_LIST = 20


def check(titles: int, dice: random.Random) -> None:
    """Show so many titles, in lists and on cards, and read them as Telegram does."""
    texts = HostileUpdates(dice)

    def text() -> str:
        return dice.choice(NASTY) if dice.random() < 0.2 else texts.text()

    for done in range(0, titles, IN_A_LIST):
        answers = hostile([text() for _ in range(IN_A_LIST)], text(), text(), text())
        check_hostile(answers, TOUCHED if done % 3 else Engagement())


def test_no_title_is_too_hostile_for_a_card():
    check(TITLES, chance())
    tell(f"{TITLES} titles")


def unescaped(template: str, /, **values: object) -> str:
    return template.format_map(values)


@pytest.mark.parametrize(
    ("module", "name", "planted"), [(cards, "fill", unescaped), (facts, "display_name_of", str)]
)
def test_a_planted_fault_is_seen(monkeypatch, module: object, name: str, planted: object):
    monkeypatch.setattr(module, name, planted)
    with pytest.raises((AssertionError, Refusal)):
        check(200, random.Random(5))
