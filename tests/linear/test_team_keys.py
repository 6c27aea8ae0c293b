"""Team keys: read at the start and each hour, of teams that may be seen, and never waited for."""

import pytest

from bot.linear.client import TeamKeys
from bot.linear.demo.workspace import Invented
from bot.linear.issue import Found
from bot.listening.issue_keys import IssueKeys
from ledger.instants import moment_of
from tests.support.linear_client_and_server import ClientAndServer, Scripted, run_with_server
from tests.support.strategies import NOON


class Over(Exception):  # noqa: N818 - the end of a test's time
    """Ends what never ends."""


def named(keys: IssueKeys) -> set[str] | None:
    return None if keys.teams_in_linear is None else set(keys.teams_in_linear)


async def follow(pair: ClientAndServer, keys: TeamKeys, times: int) -> list[float]:
    """Let `keys` follow Linear through so many pauses; return these."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == times:
            raise Over
        pair.move(seconds)

    with pytest.raises(Over):
        await keys.follow(pair.linear, pause)
    return pauses


@pytest.mark.parametrize(
    ("allowed", "teams"), [((), {"AI", "WEB"}), (("OPS", "LAW"), {"OPS"}), (("X",), set())]
)
def test_the_teams_are_those_that_may_be_seen(allowed, teams):
    async def steps(pair: ClientAndServer) -> None:
        keys = IssueKeys()
        assert await follow(pair, TeamKeys(keys, allowed), 1) == [3_600.0]
        assert named(keys) == teams

    run_with_server(steps)


def test_they_are_read_each_hour_and_after_a_failure_in_a_minute():
    async def steps(pair: ClientAndServer) -> None:
        keys = IssueKeys()
        pair.local.script.append(Scripted(503, b""))
        following = TeamKeys(keys)
        assert await follow(pair, following, 1) == [60.0]
        assert named(keys) is None
        pair.move(60.0)
        pair.local.workspace.add_team("NEW")
        assert await follow(pair, following, 2) == [3_600.0, 3_600.0]
        assert named(keys) == {"AI", "WEB", "NEW"}
        pair.local.script.append(Scripted(503, b""))
        assert await follow(pair, following, 1) == [60.0]
        assert named(keys) == {"AI", "WEB", "NEW"}

    run_with_server(steps)


def test_of_more_teams_than_are_read_all_count():
    async def steps(pair: ClientAndServer) -> None:
        for number in range(101):
            pair.local.workspace.add_team(f"T{number}")
        keys = IssueKeys()
        assert await follow(pair, TeamKeys(keys), 1) == [3_600.0]
        assert named(keys) is None

    run_with_server(steps)


def test_a_failure_is_logged_once_while_its_reason_stays_the_same(caplog):
    async def steps(pair: ClientAndServer) -> None:
        down, refused = Scripted(503, b""), Scripted(401, b"")
        pair.local.script.extend([down, down, refused])
        await follow(pair, TeamKeys(IssueKeys()), 5)

    run_with_server(steps)
    told = [vars(each)["why"] for each in caplog.records if "not read" in each.message]
    assert told == ["has an error", "does not accept the key"]


def test_a_team_key_that_can_begin_no_issue_is_left_out():
    async def steps(pair: ClientAndServer) -> None:
        for key in ("", "A B", "X" * 60, "\u00c4I"):
            pair.local.workspace.add_team(key)
        keys = IssueKeys()
        await follow(pair, TeamKeys(keys), 1)
        assert named(keys) == {"AI", "WEB"}

    run_with_server(steps)


def test_former_keys_are_learned_before_and_after_the_teams():
    async def steps(pair: ClientAndServer) -> None:
        pair.local.workspace.add(Invented("AI-5", "Moved", formerly=("OLD-1",)), moment_of(NOON))
        found = await pair.linear.look_up(["DMD-480", "OLD-1"])
        first, second = (each.issue for each in found.values() if isinstance(each, Found))
        keys = IssueKeys()
        following = TeamKeys(keys)
        following.learn([first])
        assert named(keys) is None
        await follow(pair, following, 1)
        following.learn([second])
        assert named(keys) == {"AI", "WEB", "DMD", "OLD"}

    run_with_server(steps)
