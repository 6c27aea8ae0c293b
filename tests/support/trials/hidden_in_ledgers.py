"""Two worlds as they look elsewhere than in private chats: in posts, the ledger, and the log."""

import asyncio
import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.cli import issue as issue_command
from bot.dates.format import Time
from bot.linear.client import Linear
from bot.linear.demo.webhooks import SECRET, Webhooks, issue_body
from bot.linear.issue import Answer, Issue
from bot.linear.observed import observation_of
from bot.linear.webhooks import meaning_of
from bot.telegram import inline_answers
from ledger.instants import instant_of
from ledger.observations import Observation
from projections.application import Engagements
from tests.support.command_line import NOON, CommandLine
from tests.support.linear_client_and_server import FakeMonotonicClock
from tests.support.trials.hidden_teams import (
    HIDDEN,
    NAMED,
    USER,
    ExecutingSender,
    Patch,
    World,
)

COMMANDS = (
    ("issue", *NAMED),
    ("issue", *NAMED, "--json"),
    ("issue", *NAMED, "--at", "2026-01-31T12:00Z"),
    ("issue", *NAMED, "--at", "2026-01-31T12:00Z", "--json"),
    ("issue", *NAMED, "--known-at", "2026-01-31T12:00Z"),
    ("issue", *NAMED, "--known-at", "2026-01-31T12:00Z", "--json"),
    ("top", USER, "--at", "2026-01-31", "--json"),
    ("top", USER, "--known-at", "2026-01-31"),
    ("history", USER, "--known-at", "2026-01-31", "--json"),
    ("explain", USER, f"{HIDDEN}-1"),
    ("score", USER, f"{HIDDEN}-2", "--json"),
    ("stats", USER),
    ("doctor",),
    ("doctor", "--json"),
)
OF_THE_OPERATOR = re.compile(r", and not \d+ others?|[\d.]+ [KMGT]iB")
"""Differences of `doctor` that are no leaks.

The number of teams that cards do not show tells the operator of a setting, and other programs use
the disk.
"""


class Ledgers:
    """A ledger with touches of most keys, copied for each world that is looked at."""

    def __init__(self, folder: Path) -> None:
        """Record the touches."""
        touched = CommandLine(folder / "touched")
        for key in NAMED[:-1]:
            assert touched("record", USER, key, "query", "--at", "2026-01-30T12:00Z").code == 0
        self._touched = touched.ledger
        self._cli = CommandLine(folder / "world")
        self._keyless = CommandLine(folder / "world")
        self._cli.settings["ENGAGEMENT_LINEAR_API_KEY"] = "lin_api_of_a_trial"
        self._cli.settings["ENGAGEMENT_LINEAR_WEBHOOK_SECRET"] = SECRET

    def sees(self, world: World, command: Sequence[str], patch: Patch) -> list[object]:
        """Return what is posted elsewhere and logged, and what `command` says after all that."""
        sender = ExecutingSender(world)
        shutil.rmtree(self._cli.home, ignore_errors=True)
        self._cli.home.mkdir()
        shutil.copy(self._touched, self._cli.ledger)
        with log() as logged:
            said = asyncio.run(self._posted(world, sender))
            patch(issue_command, "linear_for", lambda _: linear_of(world, sender))
            for cli in (self._cli, self._keyless):
                cli.settings["ENGAGEMENT_LINEAR_TEAMS"] = ",".join(world.allowed)
                done = cli(*command)
                said += [
                    command,
                    done.code,
                    OF_THE_OPERATOR.sub("", done.out),
                    OF_THE_OPERATOR.sub("", done.err),
                ]
        return [*said, logged, sender.asked]

    async def _posted(self, world: World, sender: ExecutingSender) -> list[object]:
        """Record all webhooks, then post cards in other chats, whose look-ups are recorded."""
        observed: list[Issue] = []
        linear = linear_of(world, sender, observed)
        url = f"sqlite:///{self._cli.ledger}"
        with Engagements(url, clock=lambda: NOON) as engagements:
            engagements.ledger.record_many(list(webhooks_of(world)))
            answers = await linear.look_up(NAMED)
            found = (observation_of(each, instant_of(NOON)) for each in observed)
            engagements.ledger.record_many([each for each in found if each is not None])
        return [posted(key, each) for key, each in answers.items()]


def linear_of(world: World, sender: ExecutingSender, observed: list[Issue] | None = None) -> Linear:
    """A client that appends what it observes."""
    seen: list[Issue] = [] if observed is None else observed
    ticks = FakeMonotonicClock()
    return Linear(sender, lambda: NOON, ticks, allowed=world.allowed, observe=seen.append)


def webhooks_of(world: World) -> Iterator[Observation]:
    """Yield what the webhooks of all issues say, hidden ones too."""
    webhooks = Webhooks(_nowhere, lambda: NOON)
    for issue in world.workspace.issues:
        sent = webhooks.add("Issue", "update", **issue_body(world.workspace, issue))
        said = meaning_of(sent.body, instant_of(NOON))
        assert isinstance(said, Observation)
        yield said


async def _nowhere(*_: object) -> None:
    """Send nothing."""


def posted(key: str, answer: Answer) -> list[str]:
    """The card of an issue in a chat of others: as an inline result, and for a guest."""
    time = Time(NOON, ZoneInfo("UTC"))
    result = inline_answers._article("1", key, answer, time)
    return [result.to_json(), inline_answers._for_guest(key, answer, time)]


@contextmanager
def log() -> Iterator[list[tuple[object, ...]]]:
    """All that is logged for a block, without its moments."""
    lines: list[tuple[object, ...]] = []
    handler, root = _Lines(lines), logging.getLogger("bot")
    root.addHandler(handler)
    try:
        yield lines
    finally:
        root.removeHandler(handler)


class _Lines(logging.Handler):
    def __init__(self, lines: list[tuple[object, ...]]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        said = (vars(record).get(name) for name in ("why", "issues", "error"))
        self._lines.append((record.levelname, record.getMessage(), *said))
