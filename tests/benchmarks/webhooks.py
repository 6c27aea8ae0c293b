"""Linear's webhooks at a steady rate: how long the door takes to answer, and recording alone.

Linear's side is in the same process. Each webhook changes an issue, so each is recorded durably
before it is answered.
"""

import asyncio
import random
import time
from pathlib import Path
from statistics import quantiles

from bot.linear.demo import SECRET, sender
from bot.linear.demo.webhooks import Delivery
from bot.linear.intake.door import route_of
from bot.linear.intake.recorder import WebhookRecorder
from bot.settings import Secret
from bot.webhooks.server import listening
from ledger.instants import moment_of
from ledger.observations import Observation
from projections.application import Engagements
from tests.benchmarks.ledgers import open_ledger
from tests.benchmarks.report import Row, limit
from tests.benchmarks.sizes import Sizes
from tests.support.linear_door import HOST, free_port
from tests.support.linear_histories import History

A_SECOND = 50
ISSUES = 20
MOST_MILLISECONDS = 100.0
ACCEPTED = 200


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the 99th percentile of the door's answers, and that of recording alone."""
    changes = max(2 * ISSUES, int(sizes.talk_seconds * A_SECOND))
    history = History(random.Random(1), changes, ISSUES, pauses=[1_000_000])
    ends = moment_of(history.clock.at)
    with open_ledger(folder / "webhooks.db", lambda: ends) as engagements:
        answers, recordings = asyncio.run(_Deliveries(engagements).run(history.sent))
    work = f"webhooks, {A_SECOND} a second, p99 of answers"
    return [
        limit(
            work,
            "ms",
            _p99_ms(answers),
            MOST_MILLISECONDS,
            peer=_p99_ms(recordings),
            peer_name="recording alone",
        )
    ]


class _Deliveries:
    """Webhooks to a door on a ledger, and how many seconds answering and recording took."""

    def __init__(self, engagements: Engagements) -> None:
        self._ledger = engagements.ledger
        self._recorder = WebhookRecorder(self._take, Secret(SECRET), engagements.clock)
        self._answers: list[float] = []
        self._recordings: list[float] = []

    async def run(self, sent: list[Delivery]) -> tuple[list[float], list[float]]:
        """Send the webhooks, each at its time."""
        port = free_port()
        self._send = sender(f"http://{HOST}:{port}/linear")
        async with (
            listening([route_of(self._recorder)], (HOST, port)),
            asyncio.TaskGroup() as sending,
        ):
            for each in sent[:ISSUES]:  # so that everything is loaded
                await self._deliver(each)
            self._answers.clear()
            self._recordings.clear()
            for each in sent[ISSUES:]:
                sending.create_task(self._deliver(each))
                await asyncio.sleep(1 / A_SECOND)
        return self._answers, self._recordings

    async def _deliver(self, each: Delivery) -> None:
        began = time.perf_counter()
        status = await self._send(each.body, each.headers)
        self._answers.append(time.perf_counter() - began)
        if status != ACCEPTED:
            raise RuntimeError(f"a webhook was answered with {status}")

    async def _take(self, observation: Observation) -> None:
        began = time.perf_counter()
        await self._ledger.record_async(observation)
        self._recordings.append(time.perf_counter() - began)


def _p99_ms(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98] * 1_000
