"""The intake of webhooks through the real door, in one process that is killed at any moment.

What was acknowledged is noted in a file, as Linear would note it.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from bot.linear.demo import SECRET, sender
from bot.linear.intake.door import route_of
from bot.linear.intake.recorder import WebhookRecorder
from bot.settings import Secret
from bot.webhooks.server import listening
from ledger import store
from ledger.instants import moment_of
from projections.application import Engagements
from tests.support.linear_door import HOST, free_port
from tests.support.linear_histories import History, observations
from tests.support.strategies import HOUR

CHANGES, ISSUES = 16, 4
TOO_EARLY = "acknowledged too early"
ACKNOWLEDGED = "acknowledged"


def history() -> History:
    """The same webhooks each time."""
    return History(random.Random(7), CHANGES, ISSUES, pauses=[HOUR // 60])


def make(folder: Path) -> None:
    """Make a ledger that nothing has reached yet."""
    folder.mkdir(parents=True)
    with opened(folder):
        (folder / ACKNOWLEDGED).touch()


def take_in(folder: Path, how: str = "") -> None:
    """Deliver all webhooks once, two at a time, to a door on the ledger in a folder."""
    with opened(folder) as engagements, _too_early() if how == TOO_EARLY else nullcontext():
        asyncio.run(_delivered(engagements, folder))


async def _delivered(engagements: Engagements, folder: Path) -> None:
    port = free_port()
    recorder = WebhookRecorder(engagements.ledger.record_async, Secret(SECRET), engagements.clock)
    send = sender(f"http://{HOST}:{port}/linear")
    waiting = list(enumerate(history().sent))

    async def deliver() -> None:
        while waiting:
            number, each = waiting.pop(0)
            if await send(each.body, each.headers) == HTTPStatus.OK:
                with (folder / ACKNOWLEDGED).open("a") as noted:
                    noted.write(f"{number}\n")

    async with listening([route_of(recorder)], (HOST, port)):
        await asyncio.gather(deliver(), deliver())


class Said(NamedTuple):
    """The answers of a ledger after the intake, once everything was delivered again."""

    lost: Any
    """Webhooks that were acknowledged and are not there."""
    findings: Any
    events: int
    issues: Any


def said_by(folder: Path) -> Said:
    """The issues of the ledger, which is opened without help, and then takes in everything."""
    sent, noted = history(), (folder / ACKNOWLEDGED).read_text().split()
    updates = [each.updated_at for each in observations(sent.in_order())]
    with opened(folder) as engagements:
        database = engagements.ledger.database
        with database.read() as connection:
            recorded = store.issue_streams.latest_first(connection, database)
            there = {each.updated_at for each in recorded}
        lost = [number for number in noted if updates[int(number)] not in there]
        findings = engagements.maintenance.verify().findings
    take_in(folder)
    with opened(folder) as engagements:
        known = [engagements.issues.issue(key) for key in sent.keys]
        issues = [each and (each.at.state_type, each.at.priority, each.spans) for each in known]
        events, _ = engagements.ledger.size()
        return Said(lost, [*findings, *engagements.maintenance.verify().findings], events, issues)


@contextmanager
def opened(folder: Path) -> Iterator[Engagements]:
    """Open the ledger in a folder, at the moment of the last change."""
    ends = history().clock.at
    with Engagements(f"sqlite:///{folder}/ledger.db", clock=lambda: moment_of(ends)) as engagements:
        yield engagements


@contextmanager
def _too_early() -> Iterator[None]:
    """Acknowledge what is recorded only afterwards."""
    record = WebhookRecorder._record

    async def early(self: WebhookRecorder, *said: Any) -> HTTPStatus:
        recording = asyncio.create_task(record(self, *said))
        _BEGUN.append(recording)
        return HTTPStatus.OK

    with mock.patch.object(WebhookRecorder, "_record", early):
        yield


_BEGUN: list[asyncio.Task[HTTPStatus]] = []
