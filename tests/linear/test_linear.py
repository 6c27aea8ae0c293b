"""The client against the local Linear: few requests, right answers, ages, pauses, sharing."""

import asyncio
import json
from functools import partial

import pytest

from bot.linear.client.linear import REMEMBERED, Linear
from bot.linear.decoding import Failed, Reason
from bot.linear.demo.workspace import Invented
from bot.linear.issue import FRESH_SECONDS, Absent, Found, Unknown
from ledger.instants import moment_of
from tests.support.linear_client_and_server import (
    ClientAndServer,
    Scripted,
    run_with_server,
    workspace,
)
from tests.support.strategies import NOON

TEN = [f"AI-{number}" for number in range(1799, 1805)] + ["WEB-7", "WEB-8", "WEB-9", "AI-1"]
HELD = Scripted(held=True)
BROKEN = Scripted(500, b"")


def issue(answer: object) -> str:
    assert isinstance(answer, Found)
    return answer.issue.identifier


def test_one_issue_is_one_request():
    async def steps(pair: ClientAndServer) -> None:
        answers = await pair.linear.look_up(["AI-1799"])
        assert issue(answers["AI-1799"]) == "AI-1799"
        assert pair.count == 1

    run_with_server(steps)


def test_ten_issues_are_two_requests_at_most_and_one_more_for_each_unknown():
    async def steps(pair: ClientAndServer) -> None:
        pair.local.workspace.add(Invented("AI-1", "One more"), moment_of(NOON))
        answers = await pair.linear.look_up(TEN)
        assert [issue(answers[key]) for key in TEN] == TEN
        assert pair.count == 1
        pair.move(FRESH_SECONDS)
        await pair.linear.look_up([*TEN, "AI-9998", "LAW-1"])
        assert pair.count == 1 + 1 + 2

    run_with_server(steps)


def test_a_list_is_one_request_and_never_asks_for_one_issue():
    async def steps(pair: ClientAndServer) -> None:
        answers = await pair.linear.look_up_listed([*TEN, "DMD-480", "OPS-3"], 60.0)
        assert [key for key in answers if answers[key] == Unknown()] == ["AI-1", "DMD-480", "OPS-3"]
        assert pair.count == 1
        found = await pair.linear.look_up(["AI-1799", "DMD-480", "AI-1"])
        assert issue(found["DMD-480"]) == "AI-1803"
        assert found["AI-1"] == Absent()
        assert pair.count == 1 + 1 + 2

    run_with_server(steps)


def test_a_list_waits_no_longer_than_it_may_and_its_answer_is_there_for_the_next():
    async def steps(pair: ClientAndServer) -> None:
        pair.local.script.append(HELD)
        first = await pair.linear.look_up_listed(["AI-1799"], 0.0)
        assert first == {"AI-1799": Unknown()}
        again = asyncio.create_task(pair.linear.look_up_listed(["AI-1799"], 60.0))
        await asyncio.sleep(0)
        pair.local.release()
        assert issue((await again)["AI-1799"]) == "AI-1799"
        assert pair.count == 1

    run_with_server(steps)


def test_a_moved_issue_answers_under_its_former_key():
    async def steps(pair: ClientAndServer) -> None:
        answers = await pair.linear.look_up(["DMD-480", "AI-1799"])
        assert issue(answers["DMD-480"]) == "AI-1803"
        assert issue((await pair.linear.look_up(["DMD-480"]))["DMD-480"]) == "AI-1803"
        assert pair.count == 2

    run_with_server(steps)


def test_what_never_existed_what_is_hidden_and_what_is_no_key_are_answered_alike():
    async def steps(pair: ClientAndServer) -> None:
        asked = ["AI-9999", "OPS-3", "LAW-1", "#5", ""]
        answers = await pair.linear.look_up(asked)
        assert answers == dict.fromkeys(asked, Absent())

    run_with_server(steps)


def test_a_hidden_issue_costs_what_an_unknown_one_costs_and_fails_as_that():
    async def steps(pair: ClientAndServer, key: str) -> tuple[object, int]:
        pair.local.script.extend([Scripted(held=True), BROKEN])  # the batch, then what is missing
        pair.local.release()
        answers = await pair.linear.look_up(["AI-1799", key])
        return answers[key], pair.count

    hidden, unseen, none = (
        run_with_server(partial(steps, key=key)) for key in ("OPS-3", "LAW-1", "AI-9999")
    )
    assert hidden == unseen == none == (Unknown(), 2)


@pytest.mark.parametrize(
    ("allowed", "found"),
    [
        ((), ["AI-1799", "WEB-7"]),
        (("OPS",), ["OPS-3"]),
        (("AI", "LAW"), ["AI-1799"]),
        (("ai",), []),
    ],
)
def test_only_issues_of_allowed_teams_are_seen_or_without_any_those_of_public_ones(allowed, found):
    async def steps(pair: ClientAndServer) -> None:
        linear = Linear(pair.linear._sender, pair.clock, pair.ticks, allowed=allowed)
        keys = ["AI-1799", "WEB-7", "OPS-3", "LAW-1", "AI-9999"]
        answers = await linear.look_up(keys)
        assert [key for key in keys if answers[key] != Absent()] == found

    run_with_server(steps)


def test_blockers_that_may_not_be_seen_are_not_there():
    async def steps(pair: ClientAndServer) -> None:
        for allowed, blockers in (((), ["WEB-7"]), (("AI", "OPS"), ["OPS-3"])):
            linear = Linear(pair.linear._sender, pair.clock, pair.ticks, allowed=allowed)
            found = (await linear.look_up(["AI-1799"]))["AI-1799"]
            assert isinstance(found, Found)
            assert [each.identifier for each in found.issue.blockers] == blockers

    run_with_server(steps)


def test_what_was_not_asked_for_is_not_taken():
    async def steps(pair: ClientAndServer) -> None:
        whole_team = pair.local._executor._issues(None)
        plain = [
            {name: value for name, value in each.items() if not callable(value)}
            for each in whole_team["nodes"]
        ]
        batch = json.dumps({"data": {"issues": {"nodes": plain}}}).encode()
        pair.local.script.append(Scripted(body=batch))
        issues = await pair.linear.find_present(["AI-1799"])
        assert not isinstance(issues, Failed)
        assert [each.identifier for each in issues] == ["AI-1799"]
        found = next(each for each in plain if each["identifier"] == "WEB-9")
        body = json.dumps({"data": {"issue": found}}).encode()
        pair.local.script.append(Scripted(body=body))
        assert (await pair.linear.look_up(["AI-5"]))["AI-5"] == Unknown()

    run_with_server(steps)


def test_answers_are_fresh_for_a_minute_and_given_with_their_age_when_linear_is_down():
    async def steps(pair: ClientAndServer) -> None:
        await pair.linear.look_up(["AI-1799"])
        pair.move(FRESH_SECONDS - 1)
        await pair.linear.look_up(["AI-1799"])
        assert pair.count == 1
        pair.move(1_000)
        pair.local.script.extend([BROKEN, BROKEN])
        answers = await pair.linear.look_up(["AI-1799", "AI-9999"])
        assert pair.count == 2
        found = answers["AI-1799"]
        assert isinstance(found, Found)
        assert found.age_seconds == FRESH_SECONDS + 999
        assert answers["AI-9999"] == Unknown()

    run_with_server(steps)


def test_what_has_changed_is_looked_up_again_but_nothing_shows_a_change_of_what_is_hidden():
    async def steps(pair: ClientAndServer) -> None:
        keys = ["DMD-480", "OPS-3", "AI-9999"]
        await pair.linear.look_up(keys)
        count = pair.count
        pair.local.workspace.change("AI-1803", "state", "Done", moment_of(NOON))
        pair.linear.outdate([*keys, "AI-1"])
        answers = await pair.linear.look_up(keys)
        found = answers["DMD-480"]
        assert isinstance(found, Found)
        assert (found.issue.state.name, found.issue.in_state_since) == ("Done", moment_of(NOON))
        assert pair.count == count + 1
        pair.linear.outdate(["DMD-480"])
        pair.local.script.append(BROKEN)
        assert issue((await pair.linear.look_up(["DMD-480"]))["DMD-480"]) == "AI-1803"

    run_with_server(steps)


def test_an_answer_that_takes_long_is_pending_and_given_to_the_next_who_asks():
    async def steps(pair: ClientAndServer) -> None:
        pair.local.script.append(HELD)
        answers = await pair.linear.look_up(["AI-1799"], within_seconds=0.0)
        assert answers["AI-1799"] == Unknown(is_pending=True)
        assert pair.linear.is_looking_for(["AI-1799"])
        asking = asyncio.gather(*(pair.linear.look_up(["AI-1799", "x"]) for _ in range(5)))
        await asyncio.sleep(0)
        pair.local.release()
        assert {issue(each["AI-1799"]) for each in await asking} == {"AI-1799"}
        assert pair.count == 1
        assert not pair.linear.is_looking_for(["AI-1799"])

    run_with_server(steps)


def test_a_caller_who_gives_up_takes_the_answer_from_no_other():
    async def steps(pair: ClientAndServer) -> None:
        pair.local.script.append(HELD)
        impatient = asyncio.create_task(pair.linear.look_up(["AI-1799"]))
        patient = asyncio.create_task(pair.linear.look_up(["AI-1799"]))
        await asyncio.sleep(0)
        impatient.cancel()
        pair.local.release()
        assert issue((await patient)["AI-1799"]) == "AI-1799"

    run_with_server(steps)


def test_a_look_up_is_bounded_in_time():
    async def steps(pair: ClientAndServer) -> None:
        pair.local.script.append(HELD)
        linear = Linear(pair.linear._sender, pair.clock, pair.ticks, patience_seconds=0.01)
        assert (await linear.look_up(["AI-1799"]))["AI-1799"] == Unknown()

    run_with_server(steps)


def test_while_linear_is_down_it_is_asked_once_a_minute():
    async def steps(pair: ClientAndServer) -> None:
        pair.local.script.extend([BROKEN] * 3)
        for seconds, count in ((0, 1), (4, 1), (2, 2), (30, 2), (29, 2), (2, 3), (30, 3)):
            pair.move(seconds)
            await pair.linear.look_up(["AI-1799"])
            assert pair.count == count
        pair.move(31)
        assert issue((await pair.linear.look_up(["AI-1799"]))["AI-1799"]) == "AI-1799"

    run_with_server(steps)


def test_the_quota_is_respected_until_its_reset():
    async def steps(pair: ClientAndServer) -> None:
        pair.local.limits.requests = 2
        await pair.linear.look_up(["AI-1799"])
        await pair.linear.look_up(["AI-1800"])
        assert pair.count == 2
        assert (await pair.linear.look_up(["AI-1801"]))["AI-1801"] == Unknown()
        assert pair.count == 2  # the second answer said that nothing is left
        pair.move(3_599)
        await pair.linear.look_up(["AI-1801"])
        assert pair.count == 2
        pair.move(1)
        assert issue((await pair.linear.look_up(["AI-1801"]))["AI-1801"]) == "AI-1801"

    run_with_server(steps)


def test_a_refusal_for_the_limit_is_waited_for():
    async def steps(pair: ClientAndServer) -> None:
        pair.local.limits.requests = 1
        pair.local.limits.begin(pair.clock())  # another program with the same key
        assert (await pair.linear.look_up(["AI-1799"]))["AI-1799"] == Unknown()
        pair.move(61)
        await pair.linear.look_up(["AI-1799"])
        assert pair.count == 1
        pair.move(3_600)
        assert issue((await pair.linear.look_up(["AI-1799"]))["AI-1799"]) == "AI-1799"

    run_with_server(steps)


def test_the_key_says_whose_it_is():
    async def steps(pair: ClientAndServer) -> None:
        setup, quota = await pair.linear.setup()
        assert not isinstance(setup, Failed)
        assert (setup.person, setup.workspace) == ("amara", "Wattle Research")
        assert [team.key for team in setup.teams] == ["AI", "WEB", "OPS"]
        assert quota.requests.left == 2_499

    run_with_server(steps)


@pytest.mark.parametrize("viewer", [None, 5, []])
def test_a_setup_that_cannot_be_read_is_a_failure(viewer):
    async def steps(pair: ClientAndServer) -> None:
        body = json.dumps({"data": {"viewer": viewer}}).encode()
        pair.local.script.append(Scripted(body=body))
        assert (await pair.linear.setup())[0] == Failed(Reason.UNREADABLE)

    run_with_server(steps)


def test_a_wrong_key_is_refused():
    async def steps(pair: ClientAndServer) -> None:
        setup, _ = await pair.linear.setup()
        assert setup == Failed(Reason.KEY_REFUSED)

    run_with_server(steps, key="lin_api_wrong_key")


def test_it_remembers_a_limited_number_of_issues():
    async def steps(pair: ClientAndServer) -> None:
        for number in range(REMEMBERED + 5):
            pair.linear._remember(f"AI-{number}", None)
        assert len(pair.linear._remembered) == REMEMBERED
        assert "AI-4" not in pair.linear._remembered

    run_with_server(steps, workspace(is_empty=True))


@pytest.mark.parametrize("count", [1, 2, 50, 51])
def test_any_number_of_keys_is_answered(count):
    async def steps(pair: ClientAndServer) -> None:
        for number in range(1, count + 1):
            pair.local.workspace.add(Invented(f"AI-{number}", "A title"), moment_of(NOON))
        asked = [f"AI-{number}" for number in range(1, count + 1)]
        answers = await pair.linear.look_up(asked)
        assert [issue(answers[key]) for key in asked] == asked
        assert pair.count == -(-count // 50)

    run_with_server(steps, workspace(is_empty=True))
