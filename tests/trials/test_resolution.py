"""Resolution of recorded keys is interrupted at random: it says the same in the end.

It is killed before or after any request or write, its quota runs out, and Linear is down for a
while. No key that was answered is asked for again. The planted fault, which notes progress before
an observation is durable, must be caught.
"""

import asyncio
import random
import shutil
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bot.linear.demo import Scripted
from bot.linear.intake.resolution import Key, Keys, Resolution, round_of
from bot.linear.issue import Issue
from ledger.instants import Instant, moment_of
from projections.application import Engagements
from tests.support.linear_client_and_server import ClientAndServer, run_with_server
from tests.support.resolved_keys import OldKeys, answers, singles
from tests.support.strategies import HOUR
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.killing import copied, expect_unharmed, killed_at_syncs
from tests.support.trials.old_keys import HASTY, hasty, make, said_by
from tests.support.trials.system_calls import needs_strace

pytestmark = pytest.mark.trial

KEYS = count(full=300, small=60)
RUNS = count(full=40, small=3, more="RUNS")
KILLS = count(full=60, small=3)


class Interrupted(NamedTuple):
    """The answers of a ledger in the end, the requests, and the number of interruptions."""

    answers: Any
    asked: list[Any]
    interruptions: int


class Killer:
    """Ends a run before or after one of its requests and writes, as a kill does."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.left = -1
        self.running: asyncio.Task[Any] | None = None

    def aim(self, running: asyncio.Task[Any]) -> None:
        self.running, self.left = running, self.dice.randint(1, 100)

    async def step(self) -> None:
        self.left -= 1
        if self.left == 0 and self.running is not None:
            self.running.cancel()
            await asyncio.Event().wait()  # here the cancellation arrives

    async def around(self, deed: Callable[[], Awaitable[Any]]) -> Any:
        await self.step()
        done = await deed()
        await self.step()
        return done


class Killable(Resolution):
    """Resolution that a `Killer` ends."""

    killer: Killer

    async def _ask_for_one(self, key: str) -> None:
        await self.killer.around(lambda: super(Killable, self)._ask_for_one(key))

    async def _record(self, issues: Sequence[Issue]) -> None:
        await self.killer.around(lambda: super(Killable, self)._record(issues))

    async def _advance(self, keys: Keys, to: Key) -> None:
        await self.killer.around(lambda: super(Killable, self)._advance(keys, to))


@pytest.fixture
def old() -> OldKeys:
    return OldKeys(chance(), KEYS)


def interrupted(
    folder: Path, old: OldKeys, dice: random.Random | None, of: type[Resolution] = Killable
) -> Interrupted:
    """Resolve all keys of a new ledger; with `dice`, in as many attempts as that takes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()

    async def run(world: ClientAndServer) -> Interrupted:
        with Engagements(f"sqlite:///{folder}/ledger.db", clock=world.clock) as engagements:
            old.record(engagements)
            attempts = await _attempted(world, engagements, dice, of)
            assert engagements.maintenance.verify().findings == []
            assert round_of(engagements).keys().pending == ()
            return Interrupted(answers(engagements, old.keys), world.local.asked, attempts)

    found: Interrupted = run_with_server(run, old.workspace())
    return found


async def _attempted(
    world: ClientAndServer,
    engagements: Engagements,
    dice: random.Random | None,
    of: type[Resolution],
) -> int:
    """Try until nothing is pending; return how often it was interrupted."""
    interruptions, round_ = 0, round_of(engagements)
    while round_.keys().pending:
        resolution = of(world.linear, engagements.ledger.record_async, round_, world.clock)
        killer = resolution.killer = Killer(dice or random.Random())  # type: ignore[attr-defined]
        running = asyncio.create_task(resolution.resolve())
        if dice is not None:
            _disturb(world, killer, running, dice)
        with suppress(asyncio.CancelledError):
            await running
        interruptions += bool(round_.keys().pending)
        world.local.script.clear()
        world.move(3_601)
    return interruptions


def _disturb(
    world: ClientAndServer, killer: Killer, running: asyncio.Task[Any], dice: random.Random
) -> None:
    match dice.choice(["kill", "kill", "quota", "down"]):
        case "kill":
            killer.aim(running)
        case "quota":
            limits = world.local.limits
            limits.requests, limits.used_requests = dice.randint(8, 80), 0
            limits.resets_at = moment_of(Instant(world.clock.at + HOUR))
        case "down":
            answered = [Scripted()] * dice.randint(0, 20)
            world.local.script.extend([*answered, *[Scripted(503, b"")] * dice.randint(1, 9)])


def test_however_it_is_interrupted_it_says_the_same_after_as_many_requests(tmp_path, old):
    expected = interrupted(tmp_path / "whole", old, None)
    assert expected.interruptions == 0
    assert len(expected.asked) == old.fewest_requests(expected.asked)
    assert set(singles(expected.asked).values()) == {1}
    dice, total = chance(), 0
    for _ in range(RUNS):
        found = interrupted(tmp_path / "broken", old, dice)
        assert found.answers == expected.answers
        again = singles(found.asked)
        assert sum(again[key] - 1 for key in old.missing) <= found.interruptions
        most = len(expected.asked) + 2 * found.interruptions + old.pairs
        assert len(found.asked) <= most
        total += found.interruptions
    assert total
    tell(f"{RUNS} runs over {KEYS} keys, {total} interruptions; {len(expected.asked)} requests")


def test_progress_that_is_noted_before_an_observation_is_durable_is_caught(tmp_path, old):
    expected, dice = interrupted(tmp_path / "whole", old, None), chance()
    for number in range(1, 20):
        if interrupted(tmp_path / "broken", old, dice, hasty(Killable)).answers != expected.answers:
            tell(f"caught in run {number}")
            return
    pytest.fail("the planted fault was not caught")


# --- processes that are killed -------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path) -> Path:
    made: Path = tmp_path / "ledger"
    make(made)
    return made


@needs_strace
def test_whichever_call_it_is_killed_at_it_says_the_same(forks, folder):
    expect_unharmed(forks, ("resolve", ""), folder, said_by, KILLS)


@needs_strace
def test_progress_that_is_noted_first_is_caught_by_a_kill(forks, folder):
    expected = said_by(copied(folder))
    for number, copy in killed_at_syncs(forks, "resolve", folder, HASTY):
        if said_by(copy) != expected:
            tell(f"caught at sync {number}")
            return
