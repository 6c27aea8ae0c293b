"""Resolution of recorded keys: whole, in few requests, and once, however it is interrupted."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.linear.demo import Scripted
from bot.linear.intake.resolution import (
    ROUND,
    ROUND_DAYS,
    Resolution,
    Resolved,
    resolution_of,
    round_of,
)
from ledger.commands import interaction_of
from ledger.errors import FutureInteractionError, LedgerUnavailableError
from ledger.instants import Instant, moment_of
from projections.application import Engagements
from tests.support.linear_client_and_server import ClientAndServer, run_with_server
from tests.support.observations import observation
from tests.support.resolved_keys import observed, singles
from tests.support.strategies import HOUR, NOON, Clock

Steps = Callable[[ClientAndServer, Engagements], Awaitable[Any]]


@contextmanager
def opened(folder: Path, clock: Clock):
    with Engagements(f"sqlite:///{folder}/ledger.db", clock=clock) as engagements:
        yield engagements


def with_keys(folder: Path, keys: list[str], steps: Steps) -> Any:
    """Run `steps` on a ledger in which ana has touched `keys`."""

    async def run(world: ClientAndServer) -> Any:
        with opened(folder, world.clock) as engagements:
            engagements.ledger.record_many([interaction_of("ana", key, "query") for key in keys])
            return await steps(world, engagements)

    return run_with_server(run)


def test_keys_are_asked_for_in_a_batch_and_missing_ones_singly(tmp_path):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        done = await resolution_of(world.linear, engagements).resolve()
        assert done == Resolved(found=2, not_found=3, pending=0)
        assert [each.variables.get("id") for each in world.local.asked] == [
            None,
            "DMD-480",
            "OPS-3",
            "AI-9999",
            "LAW-1",
        ]
        assert {each[1] for each in observed(engagements)} == {"AI-1799", "AI-1803"}
        again = await resolution_of(world.linear, engagements).resolve()
        assert (again, world.count) == (Resolved(0, 0, 0), 5)

    with_keys(tmp_path, ["DMD-480", "AI-1799", "OPS-3", "AI-9999", "NOTE", "LAW-1"], steps)


def test_moved_issues_merge_afterwards(tmp_path):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        assert engagements.questions.ask("ana", "DMD-480").engagement.count == 1
        await resolution_of(world.linear, engagements).resolve()
        for key in ("DMD-480", "AI-1803"):
            assert engagements.questions.ask("ana", key).engagement.count == 2
        assert [each.issue_id for each in engagements.questions.top("ana")] == ["AI-1803"]

    with_keys(tmp_path, ["DMD-480", "AI-1803"], steps)


def test_a_former_key_of_a_found_issue_is_not_asked_for_singly(tmp_path):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        done = await resolution_of(world.linear, engagements).resolve()
        assert (done, world.count) == (Resolved(2, 0, 0), 1)

    with_keys(tmp_path, ["DMD-480", "AI-1803"], steps)


def test_what_only_a_webhook_named_is_asked_for(tmp_path):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        engagements.ledger.record(observation(9, identifier="AI-1799", updated_at=NOON))
        assert (await resolution_of(world.linear, engagements).resolve()).found == 1

    with_keys(tmp_path, ["AI-1799"], steps)


def test_what_was_not_found_is_asked_for_again_after_thirty_days(tmp_path):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        resolution = resolution_of(world.linear, engagements)
        assert (await resolution.resolve()).not_found == 2
        for days, requests in ((ROUND_DAYS - 1, 3), (1, 6), (1, 6)):
            world.move(days * 86_400)
            await resolution.resolve()
            assert world.count == requests, days

    with_keys(tmp_path, ["AI-9998", "AI-9999"], steps)


def test_a_new_key_is_asked_for_and_no_other(tmp_path):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        resolution = resolution_of(world.linear, engagements)
        await resolution.resolve()
        engagements.ledger.record(interaction_of("ben", "AI-9997", "query"))
        engagements.ledger.fold()
        engagements.ledger.record(interaction_of("ben", "AI-9996", "query"))
        assert (await resolution.resolve()).not_found == 2
        assert max(singles(world.local.asked).values()) == 1

    with_keys(tmp_path, ["AI-9998", "AI-9999"], steps)


def test_a_round_that_ends_meanwhile_does_not_pass_over_the_keys_of_the_next(tmp_path):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        round_ = round_of(engagements)
        before = round_.keys()
        round_.advance(before.begun_on, before.pending[0].position)
        before = round_.keys()
        world.move(ROUND_DAYS * 86_400)
        round_.advance(before.begun_on, before.pending[0].position)
        assert [each.key for each in round_.keys().pending] == ["AI-9998", "AI-9999"]

    with_keys(tmp_path, ["AI-9998", "AI-9999"], steps)


def test_a_round_never_goes_back(tmp_path):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        round_, day = round_of(engagements), moment_of(NOON).date()
        for position in (1, 2, 1):
            round_.advance(day, position)
        last = engagements.ledger.job_runs.last(ROUND)
        assert (last and last.counted) == 2
        assert engagements.maintenance.verify().findings == []
        assert world.count == 0

    with_keys(tmp_path, ["AI-9998", "AI-9999"], steps)


def test_the_quota_of_cards_is_left_to_them(tmp_path):
    keys = [f"AI-{number}" for number in range(8_001, 8_021)]

    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        limits = world.local.limits
        limits.requests, limits.used_requests = 16, 0
        limits.resets_at = moment_of(Instant(NOON + HOUR))
        resolution = resolution_of(world.linear, engagements)
        done = await resolution.resolve()
        assert done == Resolved(0, 12, 8, "little of Linear's limit is left")
        assert world.count == 13
        assert (await resolution.resolve()).not_found == 0
        assert world.count == 14
        world.move(3_601)
        assert await resolution.resolve() == Resolved(0, 8, 0)
        assert max(singles(world.local.asked).values()) == 1

    with_keys(tmp_path, keys, steps)


BROKEN = Scripted(503, b"")


@pytest.mark.parametrize("done", [0, 1, 3])
def test_where_linear_is_down_it_stops_and_goes_on_later(tmp_path, done):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        resolution = resolution_of(world.linear, engagements)

        def show(number: int) -> None:
            if number == done:
                world.local.script.append(BROKEN)

        if not done:
            world.local.script.append(BROKEN)
        first = await resolution.resolve(show)
        assert (first.why, first.pending) == ("Linear has an error", 4 - done)
        world.move(60)
        assert (await resolution.resolve()).pending == 0
        assert engagements.issues.recorded_keys().present == {"AI-1803"}

    with_keys(tmp_path, ["AI-9997", "AI-9998", "DMD-480", "AI-9999"], steps)


def test_an_answer_that_cannot_be_used_holds_up_no_other_key(tmp_path, log):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        def show(number: int) -> None:
            if number == 1:
                world.local.script.append(Scripted(body=b'{"data": {"issue": {"id": 5}}}'))

        done = await resolution_of(world.linear, engagements).resolve(show)
        assert (done.found, done.not_found, done.pending) == (1, 2, 0)

    with_keys(tmp_path, ["AI-9998", "AI-9999", "DMD-480"], steps)
    assert '"why": "sends what cannot be read"' in log.getvalue()


@pytest.mark.parametrize(
    ("fault", "left"),
    [(LedgerUnavailableError("x"), 2), (FutureInteractionError("updated_at", 5), 0)],
)
def test_what_the_ledger_does_not_take_is_asked_for_again_unless_it_is_refused_for_ever(
    tmp_path, fault, left
):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        async def take(_: object) -> None:
            raise fault

        resolution = Resolution(world.linear, take, round_of(engagements), world.clock)
        assert (await resolution.resolve()).pending == left
        assert len(round_of(engagements).keys().pending) == left

    with_keys(tmp_path, ["AI-1799", "DMD-480"], steps)


def test_a_long_list_pushes_no_card_out_of_memory_and_is_not_observed_twice(tmp_path):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        await resolution_of(world.linear, engagements).resolve()
        assert not world.linear._remembered

    with_keys(tmp_path, ["AI-1799", "DMD-480"], steps)


def test_it_ends_at_once_and_does_not_begin_again(tmp_path):
    async def steps(world: ClientAndServer, engagements: Engagements) -> None:
        resolution = resolution_of(world.linear, engagements)
        world.local.script.append(Scripted(held=True))
        running = asyncio.create_task(resolution.resolve())
        while not world.local.asked:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
        resolution.end()
        assert await running == Resolved(0, 0, 1, "it was ended")
        assert (await resolution.resolve()).pending == 1
        assert world.count == 1

    with_keys(tmp_path, ["AI-1799"], steps)
