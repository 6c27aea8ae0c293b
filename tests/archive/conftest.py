"""A history that is sealed to its last event, and what the page says of its segments."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.commands import interaction_of, override_of
from ledger.instants import DAY, Instant, instant_of, moment_of
from ledger.observations import Observation
from projections.application import Engagements
from tests.support.command_line import NOON, CommandLine
from tests.support.observations import observation
from tests.support.sealed_ledgers import fill, opened, small_segments
from tests.support.strategies import HOUR, Clock

USERS = ("ana", "ben", "eve")


@pytest.fixture(scope="session")
def folder_of_filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the ledger that `fill` makes, which is made once, and copied."""
    folder, clock = tmp_path_factory.mktemp("filled"), Clock()
    with opened(folder, clock) as made:
        fill(made, clock)
    return folder


@pytest.fixture
def filled(tmp_path: Path, clock: Clock, folder_of_filled: Path) -> Path:
    """A folder with that ledger, as of its clock."""
    shutil.copytree(folder_of_filled, tmp_path, dirs_exist_ok=True)
    clock.move(3 * DAY)
    return tmp_path


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A command line whose ledger is in the current folder."""
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path)


@pytest.fixture
def engagements(cli: CommandLine) -> Iterator[Engagements]:
    """A history of three users that is sealed to its last event, in several segments.

    Linear's observations are in the later ones.
    """
    clock, dice = Clock(), random.Random(6)
    clock.at = Instant(instant_of(NOON) - 200 * DAY)
    with Engagements(f"sqlite:///{cli.ledger}", clock=clock) as opened:
        for number in range(20):
            record(opened, clock, dice)
            if number >= 10:
                opened.ledger.record_many([described(each, clock.at) for each in range(10)])
            clock.move(10 * DAY)
        with small_segments(150):
            opened.ledger.compactor.compact(opened.ledger.size()[0])
        yield opened


def described(number: int, at: Instant) -> Observation:
    """A description of one of seven issues."""
    return observation(number % 7, priority=number % 5, updated_at=Instant(at + number))


def record(opened: Engagements, clock: Clock, dice: random.Random) -> None:
    """Touch some issues, many of them alike, and override a few scores."""
    for user in USERS:
        ago = dice.choice([0, 0, HOUR, 3 * DAY])
        issues = [f"AI-{dice.randrange(60)}" for _ in range(10)]
        at = moment_of(Instant(clock.at - ago))
        opened.ledger.record_many(
            [
                interaction_of(
                    user,
                    issue,
                    dice.choice(["query", "view", "mention"]),
                    occurred_at=at,
                    context="said" if dice.random() < 0.5 else None,
                    linear_id=dice.choice([None, "lin-a", "lin-\U0001f468"]),
                    chat_id=dice.choice([None, "-100"]),
                )
                for issue in issues
            ]
        )
        for score in dice.sample([0.0, 0.3, 0.68, 1.0], 2):
            late = moment_of(Instant(clock.at - dice.choice([0, ago])))
            opened.ledger.record(override_of(user, issues[0], score, occurred_at=late))
