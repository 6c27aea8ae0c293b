"""Catching up: what changed while no webhook came is read, whole or again the next time."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bot.linear.demo import Scripted
from bot.linear.demo.workspace import Invented
from bot.linear.intake.catch_up import FIRST_SPAN, MARGIN, OVERLAP, PAUSE_SECONDS, CatchUp
from ledger.errors import FutureInteractionError, LedgerUnavailableError
from ledger.instants import Instant, instant_of, moment_of
from ledger.observations import Observation
from tests.support.linear_client_and_server import ClientAndServer, run_with_server, workspace
from tests.support.strategies import HOUR, NOON

AN_HOUR_AGO = Instant(NOON - HOUR)


class Ledger:
    """A ledger that keeps observations in memory, and raises faults in place of that."""

    def __init__(self, latest: Instant | None = None) -> None:
        self.taken: list[Observation] = []
        self.latest = latest
        self.faults: list[Exception] = []

    async def take(self, observation: Observation) -> None:
        if self.faults:
            raise self.faults.pop()
        self.taken.append(observation)

    @property
    def keys(self) -> list[str]:
        return sorted(each.identifier for each in self.taken)


def caught_up(
    steps: Callable[[ClientAndServer, CatchUp, Ledger], Awaitable[Any]],
    latest: Instant | None = AN_HOUR_AGO,
    issues: int = 0,
) -> Any:
    async def run(world: ClientAndServer) -> Any:
        ledger = Ledger(latest)
        return await steps(
            world, CatchUp(world.linear, ledger.take, lambda: latest, world.clock), ledger
        )

    of = workspace(is_empty=issues > 0)
    for number in range(1, issues + 1):
        of.add(Invented(f"AI-{number}", "x"), moment_of(NOON))
    return run_with_server(run, of)


def test_what_changed_is_read_from_a_margin_before_the_latest_known_change():
    async def steps(world: ClientAndServer, catch_up: CatchUp, ledger: Ledger) -> None:
        assert await catch_up.catch_up() is None
        since = moment_of(Instant(NOON - HOUR - MARGIN))
        assert world.local.asked[0].variables["since"] == since.isoformat()
        expected = [
            each["identifier"]
            for each in world.local.workspace.seen_issues
            if each["team"]["visibility"] == "public"
            and dt.datetime.fromisoformat(each["updatedAt"]) > since
        ]
        assert ledger.keys == sorted(expected)
        assert {"AI-1799", "WEB-9", "OPS-3"}.isdisjoint(expected)
        assert {each.origin for each in ledger.taken} == {"look-up"}

    caught_up(steps)


def test_where_nothing_is_known_it_begins_a_day_ago():
    async def steps(world: ClientAndServer, catch_up: CatchUp, _: Ledger) -> None:
        await catch_up.catch_up()
        since = world.local.asked[0].variables["since"]
        assert since == moment_of(Instant(NOON - FIRST_SPAN)).isoformat()

    caught_up(steps, latest=None)


def test_all_pages_are_read():
    async def steps(world: ClientAndServer, catch_up: CatchUp, ledger: Ledger) -> None:
        assert await catch_up.catch_up() is None
        assert (world.count, len(set(ledger.keys))) == (3, 120)

    caught_up(steps, issues=120, latest=Instant(NOON - 60 * HOUR))


def test_the_next_time_only_what_changed_since_is_read():
    async def steps(world: ClientAndServer, catch_up: CatchUp, ledger: Ledger) -> None:
        await catch_up.catch_up()
        ledger.taken.clear()
        world.move(3_600)
        issue, _ = world.local.workspace.change("AI-1799", "state", "Done", world.clock())
        assert await catch_up.catch_up() is None
        changed = {each.identifier for each in ledger.taken if each.updated_at > NOON}
        assert changed == {issue["identifier"]}
        assert len(ledger.taken) <= 2
        since = moment_of(Instant(instant_of(moment_of(NOON)) - OVERLAP))
        assert world.local.asked[-1].variables["since"] <= since.isoformat()

    caught_up(steps)


@pytest.mark.parametrize(
    ("scripted", "reason"),
    [
        (Scripted(503, b""), "has an error"),
        (Scripted(200, b'{"data": {"issues": {"nodes": 5}}}'), "sends what cannot be read"),
        (Scripted(200, b'{"data": {"issues": null}}'), "sends what cannot be read"),
        (Scripted(200, b"", cut=True), "cannot be reached"),
    ],
)
def test_what_could_not_be_read_is_read_the_next_time(scripted, reason):
    async def steps(world: ClientAndServer, catch_up: CatchUp, ledger: Ledger) -> None:
        world.local.script.append(scripted)
        assert await catch_up.catch_up() == reason
        world.move(3_600)
        assert await catch_up.catch_up() is None
        first, second = [each.variables["since"] for each in world.local.asked]
        assert first == second
        assert ledger.keys

    caught_up(steps)


def test_what_could_not_be_recorded_is_read_the_next_time():
    async def steps(world: ClientAndServer, catch_up: CatchUp, ledger: Ledger) -> None:
        ledger.faults = [LedgerUnavailableError("x")]
        assert await catch_up.catch_up() == "LedgerUnavailableError"
        ledger.taken.clear()
        assert await catch_up.catch_up() is None
        first, second = [each.variables["since"] for each in world.local.asked]
        assert first == second

    caught_up(steps)


def test_an_issue_that_the_ledger_refuses_is_passed_over(log):
    async def steps(_: ClientAndServer, catch_up: CatchUp, ledger: Ledger) -> None:
        ledger.faults = [FutureInteractionError("canary", 5)]
        assert await catch_up.catch_up() is None

    caught_up(steps)
    assert "issues not taken" in log.getvalue()


def test_the_quota_of_cards_is_left_to_them():
    async def steps(world: ClientAndServer, catch_up: CatchUp, ledger: Ledger) -> None:
        limits = world.local.limits
        limits.requests, limits.used_requests = 8, 5
        limits.resets_at = moment_of(Instant(NOON + HOUR))
        assert await catch_up.catch_up() == "little of its limit is left"
        assert (world.count, len(ledger.taken)) == (2, 100)
        world.move(3_600)
        assert await catch_up.catch_up() is None
        assert len(set(ledger.keys)) == 120

    caught_up(steps, issues=120, latest=Instant(NOON - 60 * HOUR))


def test_it_goes_on_each_hour_also_after_a_failure(log):
    pauses: list[float] = []

    async def steps(world: ClientAndServer, catch_up: CatchUp, _: Ledger) -> None:
        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            world.move(seconds)
            if len(pauses) == 3:
                raise asyncio.CancelledError

        world.local.script.append(Scripted(503, b""))
        with pytest.raises(asyncio.CancelledError):
            await catch_up.run(sleep)
        assert world.count == 3

    caught_up(steps)
    assert pauses == [PAUSE_SECONDS] * 3
    assert '"why": "has an error"' in log.getvalue()
