"""Pairs of worlds that differ only in a hidden team, and everything that people see of them."""

import asyncio
import json
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import telegram

from bot.cli import issue as issue_command
from bot.cli import titles as titles_of_commands
from bot.clocks import ClockGuard
from bot.linear.cards import titles_of
from bot.linear.client import Linear, TeamKeys
from bot.linear.decoding import Failed, Reason, Response
from bot.linear.demo import Executor, Workspace
from bot.linear.demo.errors import Refused
from bot.linear.demo.workspace import STATES, Invented, empty
from bot.linear.documents import Request
from bot.linear.intake.resolution import round_of
from bot.linear.issue import Answer
from bot.listening.bot_commands import CARDS, Asked
from bot.listening.issue_keys import IssueKeys
from bot.settings import settings_of
from bot.telegram import key_check, look_ups
from bot.telegram.handlers import Listing, Question, answer, finish
from bot.telegram.key_check import KeyCheck
from bot.telegram.look_ups import LookUps
from bot.telegram.recording import Recorder, RecordingQueue
from bot.telegram.sending import Outbox
from ledger.events import kind_label
from projections.application import Engagements, EngagementTracker
from tests.support.command_line import NOON, CommandLine
from tests.support.linear_client_and_server import FakeMonotonicClock

Patch = Callable[[object, str, object], None]

BOT: Any = SimpleNamespace(id=99, username="ledger_bot")
USER = "7"
PATIENT = 60.0
"""Seconds, so that a busy machine changes nothing."""
HIDDEN = "HID"
SEEN = ("AI", "WEB")
NAMED = (
    *(f"AI-{n}" for n in range(1, 6)),
    *(f"WEB-{n}" for n in range(1, 4)),
    *(f"{HIDDEN}-{n}" for n in range(1, 4)),
    "OLD-1",
    "NONE-1",
)
"""The keys that people know: of issues that are there or not, hidden or not."""
PEOPLE = ("amara", "ben", None)
TITLES = ("Pages that have moved", "<b>HID-1</b>", "Lists & more", "", "كيف الحال", "x" * 200)

COMMANDS = (
    ("issue", *NAMED),
    ("issue", *NAMED, "--json"),
    ("top", USER, "--limit", "50"),
    ("top", USER, "--json"),
    ("history", USER),
    ("history", USER, "--json"),
    ("report", "-o", "/dev/stdout"),
)
RESOLVING = (("linear", "resolve"), ("linear", "resolve", "--json"), *COMMANDS[2:])
"""Commands on a ledger whose keys Linear was not asked for before."""


class World(NamedTuple):
    """A workspace, the teams that may be shown (any public one, if none), and a failure.

    From the request of the number `fails_from` on, Linear does not answer.
    """

    workspace: Workspace
    allowed: tuple[str, ...]
    fails_from: float


def pair(dice: random.Random) -> tuple[World, World]:
    """Return two worlds: in one of them there is a hidden team."""
    seen = [
        _invented(dice, f"{team}-{n}") for team in SEEN for n in range(1, 6) if dice.random() < 0.8
    ]
    hidden = [_invented(dice, f"{HIDDEN}-{n}") for n in range(1, 4) if dice.random() < 0.8]
    allowed, visibility = dice.choice(
        [((), "private"), ((), "restricted"), (SEEN, "public"), (SEEN, "private")]
    )
    can_read = dice.random() < 0.8
    fails_from = dice.choice([float("inf"), 0, 1, 2, 3])
    worlds = []
    for issues in (seen, [*hidden, *seen]):
        workspace = empty()
        workspace.unseen = frozenset() if can_read else frozenset({HIDDEN})
        for team in SEEN:
            workspace.add_team(team)
        if issues is not seen:
            workspace.add_team(HIDDEN, visibility)
        for issue in issues:
            workspace.add(issue, NOON)
        worlds.append(World(workspace, allowed, fails_from))
    return worlds[0], worlds[1]


def _invented(dice: random.Random, identifier: str) -> Invented:
    blockers = [each for each in NAMED if each != identifier and dice.random() < 0.2]
    return Invented(
        identifier,
        dice.choice(TITLES),
        dice.choice(list(STATES)),
        dice.choice(PEOPLE),
        dice.randrange(5),
        dice.choice([None, -1, 1, 9]),
        formerly=("OLD-1",) if identifier == "AI-1" else (),
        days=dice.randrange(9),
        cycle=dice.choice([None, 14]),
        blockers=tuple(blockers[:9]),
    )


class CachingExecutor(Executor):
    """Reads each document once: that takes most of the time."""

    def __init__(self) -> None:
        super().__init__(empty())
        self.read = cache(super().read)  # type: ignore[method-assign]


class ExecutingSender:
    """Answers requests from a world, without a network."""

    executor = CachingExecutor()

    def __init__(self, world: World) -> None:
        self.world = world
        self._numbers = count()
        self.asked = 0

    async def send(self, request: Request) -> Response | Failed:
        self.asked += 1
        if next(self._numbers) >= self.world.fails_from:
            return Failed(Reason.UNREACHABLE)
        self.executor.workspace = self.world.workspace
        done = self.executor.execute(request.query, request.variables)
        assert not isinstance(done, Refused), done.message
        return Response(200, {}, json.dumps(done.body).encode())

    async def close(self) -> None:
        """Do nothing."""


class _Over(Exception):  # noqa: N818 - no fault
    """Ends what never ends."""


class Onlooker:
    """Looks at worlds with the eyes of one user, whose ledger has touches of most keys."""

    def __init__(self, folder: Path) -> None:
        """Record the touches."""
        self._cli = CommandLine(folder)
        self._folder = folder
        self._users = count(1_001)
        for key in NAMED[:-1]:
            assert self._cli("record", USER, key, "query", "--at", "2026-01-30T12:00Z").code == 0
        self._cli.settings["ENGAGEMENT_LINEAR_API_KEY"] = "lin_api_of_a_trial"
        self._settings = settings_of({"ENGAGEMENT_HOME": str(folder)})

    def sees_resolved(self, world: World, patch: Patch) -> list[object]:
        """Return all that `RESOLVING` says and records of a copy of the ledger."""
        sender = ExecutingSender(world)
        for module in (issue_command, titles_of_commands):
            patch(module, "linear_for", lambda _: _linear(world, sender))
        copy = self._cli.home.with_name("resolved")
        shutil.rmtree(copy, ignore_errors=True)
        cli = CommandLine(shutil.copytree(self._cli.home, copy), settings=self._cli.settings)
        said: list[object] = [(done.code, done.out) for done in (cli(*each) for each in RESOLVING)]
        with cli.session().engagements() as engagements:
            keys = round_of(engagements).keys()
            ids = engagements.issues.linear_ids((key, None) for key in NAMED)
        return [*said, keys, ids, sender.asked]

    def sees(self, world: World, commands: Sequence[Sequence[str]], patch: Patch) -> list[object]:
        """Return all that the bot and `commands` say, the keys that count, and the requests."""
        sender = ExecutingSender(world)
        patch(key_check, "LEDGER_SECONDS", PATIENT)
        patch(look_ups, "CARD_SECONDS", PATIENT)
        with Engagements(self._settings.database_url, clock=lambda: NOON) as engagements:
            said = asyncio.run(self._answers(engagements, world, sender))
        with Engagements(f"sqlite:///{self._folder}/other.db", clock=lambda: NOON) as others:
            said += asyncio.run(self._recorded(others, world, sender))
        for module in (issue_command, titles_of_commands):
            patch(module, "linear_for", lambda _: _linear(world, sender))
        for command in commands:
            done = self._cli(*command)
            said += [command, done.code, done.out]
        return [*said, sender.asked]

    async def _recorded(
        self, engagements: Engagements, world: World, sender: ExecutingSender
    ) -> list[object]:
        """Return what a new user hears of each key and of all, and what is recorded by then."""
        user, said = next(self._users), list[object]()
        looking = LookUps(_linear(world, sender), Outbox())
        keys = IssueKeys(team_keys=(*SEEN, HIDDEN, "OLD", "NONE"))
        spool, tracker = self._folder / "spool", EngagementTracker(engagements)
        recorder = Recorder(BOT, tracker, spool=spool, keys=keys)
        recorder.reception.key_check = KeyCheck(
            looking, engagements, world.allowed, is_behind=lambda: False
        )
        queue = RecordingQueue(recorder)
        for asked in (*((key,) for key in NAMED), NAMED):
            update = _said(user, " ".join(asked))
            assert await queue.take(update)
            known = (await recorder.reception.take(update)).known
            cards = Asked(CARDS, asked)
            answers = (known or await looking.known(cards)).answers
            question = self._question(engagements, cards, answers)
            said.append(answer(msgspec.structs.replace(question, user_id=user)))
        await recorder.close()
        history = engagements.questions.history(str(user))
        return [*said, [(each.event.issue_id, kind_label(each.event)) for each in history]]

    async def _answers(
        self, engagements: Engagements, world: World, sender: ExecutingSender
    ) -> list[object]:
        linear, said = _linear(world, sender), list[object]()
        for asked in (*((key,) for key in NAMED), NAMED[::2], NAMED):
            answers = await linear.look_up(asked)
            said.append(answer(self._question(engagements, Asked(CARDS, asked), answers)))
        for name in ("top", "briefing", "history", "chart"):
            listing = answer(self._question(engagements, Asked(name), {}))
            assert isinstance(listing, Listing)
            titles = titles_of(await _linear(world, sender).look_up_listed(listing.issues, 60.0))
            said.append(finish(listing, titles, Asked(name)))
        return [*said, await _teams(world, sender)]

    def _question(
        self, engagements: Engagements, asked: Asked, answers: Mapping[str, Answer]
    ) -> Question:
        return Question(
            engagements=engagements,
            settings=self._settings,
            keys=IssueKeys(),
            user_id=int(USER),
            asked=asked,
            clock=ClockGuard(engagements),
            answers=answers,
        )


def _said(user: int, text: str) -> telegram.Update:
    """A new private message."""
    number, person = next(_NUMBERS), {"id": user, "is_bot": False, "first_name": "Ana"}
    where = {"chat": {"id": user, "type": "private"}, "message_id": number, "from": person}
    message = where | {"date": int(NOON.timestamp()), "text": text}
    return telegram.Update.de_json({"update_id": number, "message": message})


_NUMBERS = count(1)


def _linear(world: World, sender: ExecutingSender) -> Linear:
    return Linear(sender, lambda: NOON, FakeMonotonicClock(), allowed=world.allowed)


async def _teams(world: World, sender: ExecutingSender) -> frozenset[str] | None:
    """Return the teams whose keys count after Linear was asked for them once."""
    keys = IssueKeys()

    async def pause(_: float) -> None:
        raise _Over

    with suppress(_Over):
        await TeamKeys(keys, world.allowed).follow(_linear(world, sender), pause)
    return keys.teams_in_linear
