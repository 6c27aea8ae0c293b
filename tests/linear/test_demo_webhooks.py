"""The local Linear's webhooks: signed, delivered again on the clock, and then no more."""

import asyncio
import json
from collections.abc import Mapping

import httpx
import pytest

from bot.linear.demo import SECRET, Webhooks, sender
from bot.linear.demo.webhooks import issue_body
from bot.linear.webhooks import SIGNATURE_HEADER, is_signed, meaning_of
from ledger.observations import Observation, Person
from tests.support.linear_client_and_server import ClientAndServer, run_with_server, workspace
from tests.support.linear_door import at_the_door
from tests.support.strategies import HOUR, Clock

MINUTE = HOUR // 60


class Receiver:
    """A receiver that answers with the given statuses, and then with 200."""

    def __init__(self, *statuses: int | None) -> None:
        self.clock = Clock()
        self.webhooks = Webhooks(self.send, self.clock)
        self.statuses = list(statuses)
        self.sent: list[tuple[float, bytes, Mapping[str, str]]] = []
        self._began = self.clock.at

    async def send(self, body: bytes, headers: Mapping[str, str]) -> int | None:
        self.sent.append(((self.clock.at - self._began) / MINUTE, body, headers))
        return self.statuses.pop(0) if self.statuses else 200

    def let_pass(self, minutes: int) -> None:
        for _ in range(minutes):
            asyncio.run(self.webhooks.deliver())
            self.clock.move(MINUTE)

    @property
    def minutes(self) -> list[float]:
        return [at for at, _, _ in self.sent]


def test_a_webhook_is_signed_and_describes_the_issue():
    receiver, world = Receiver(), workspace()
    issue, before = world.change("AI-1799", "state", "Done", receiver.clock())
    sent = receiver.webhooks.add("Issue", "update", updatedFrom=before, **issue_body(world, issue))
    assert is_signed(sent.body, sent.headers[SIGNATURE_HEADER], SECRET)
    found = meaning_of(sent.body, receiver.clock.at)
    assert isinstance(found, Observation)
    assert (found.identifier, found.state_type) == ("AI-1799", "completed")
    assert found.updated_at == found.said_at == receiver.clock.at
    assert isinstance(found.assignee, Person)
    assert isinstance(found.actor, Person)
    assert "dueDate" in (data := json.loads(sent.body)["data"])
    assert "archivedAt" not in data  # what is null is missing
    assert "email" not in sent.body.decode()


def test_a_change_that_empties_a_field_says_so():
    receiver, world = Receiver(), workspace()
    issue, before = world.change("AI-1799", "assignee", "", receiver.clock())
    sent = receiver.webhooks.add("Issue", "update", updatedFrom=before, **issue_body(world, issue))
    found = meaning_of(sent.body, receiver.clock.at)
    assert isinstance(found, Observation)
    assert found.assignee is None


@pytest.mark.parametrize("status", [None, 500, 503, 401, 301, 204])
def test_what_is_not_answered_with_200_comes_again_with_the_same_bytes(status):
    receiver = Receiver(status, status, status)
    receiver.webhooks.add("Issue", "create")
    receiver.let_pass(600)
    assert receiver.minutes == [0, 1, 61, 421]
    assert len({body for _, body, _ in receiver.sent}) == 1
    assert len({str(headers) for _, _, headers in receiver.sent}) == 1
    assert receiver.webhooks.is_enabled


def test_after_four_failures_nothing_is_sent_any_more():
    receiver = Receiver(*[503] * 9)
    receiver.webhooks.add("Issue", "create")
    receiver.let_pass(425)
    receiver.webhooks.add("Issue", "create")
    receiver.let_pass(600)
    assert receiver.minutes == [0, 1, 61, 421]
    assert not receiver.webhooks.is_enabled


def test_a_real_request_reaches_the_door_and_nothing_listening_is_no_answer():
    async def steps(door):
        sent = door.webhook()
        statuses = [await sender(door.url)(sent.body, sent.headers)]
        return [*statuses, await sender("http://127.0.0.1:1/linear")(sent.body, sent.headers)]

    assert at_the_door(steps) == ([200, None], ["AI-1799"])


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({}, ""),
        ({"issue": "AI-1", "state": "Done"}, "Not known here: AI-1\n"),
        ({"issue": "AI-1799", "state": "Ready"}, "Not known here: Ready\n"),
        ({"issue": "AI-1799", "title": "x"}, "Not known here: title\n"),
        ({"issue": "AI-1799", "assignee": "zoe"}, "Not known here: zoe\n"),
        ({"issue": "AI-1799", "priority": "9"}, "Not known here: 9\n"),
        ({"state": "Done"}, "Not known here: an issue without a key\n"),
    ],
)
def test_a_change_that_cannot_be_made_is_explained(form, why):
    async def steps(world: ClientAndServer) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.post(world.local.url.replace("/graphql", "/change"), data=form)

    answer = run_with_server(steps)
    assert answer.status_code == 400
    assert answer.text.startswith(f"{why}Send a form with `issue`")
