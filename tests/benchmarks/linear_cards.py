"""A card of an issue, beside the local Linear's own answer to the same question.

Ours looks the issue up, reads the ledger and writes the card; the peer sends the request with httpx
alone, and reads the answer as bytes. Both talk with the local Linear over the loopback.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

import httpx
import msgspec

from bot.dates.format import Time
from bot.linear.cards import cards
from bot.linear.client import Connection, Linear
from bot.linear.demo import KEY, LocalLinear, invented
from bot.linear.documents import request_for_one
from bot.linear.issue import FRESH_SECONDS
from bot.settings import Secret
from ledger.clock import utc_now
from projections.application import Engagements
from tests.benchmarks.histories import LAST_DAY, one_user, user_name
from tests.benchmarks.ledgers import import_all, open_ledger
from tests.benchmarks.report import Row, at_most
from tests.benchmarks.sizes import Sizes
from tests.support.linear_server import serving

ISSUE = "AI-1799"
MOST_TIMES = 3.0


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure the milliseconds of a card, and of the answer that it is made of."""
    with (
        open_ledger(folder / "cards.db", lambda: LAST_DAY) as engagements,
        serving(LocalLinear(invented(LAST_DAY), utc_now)) as served,
    ):
        import_all(engagements, one_user(sizes.few_events // 100))
        url = served.settings["ENGAGEMENT_LINEAR_URL"]
        ours, peer = asyncio.run(_measured(engagements, url, sizes))
    work = "a card of an issue in Linear"
    return [at_most(work, "ms", ours, peer, "the local Linear's answer", MOST_TIMES)]


async def _measured(
    engagements: Engagements, url: str, sizes: Sizes
) -> tuple[list[float], list[float]]:
    # Each look finds what is remembered outdated, so that Linear is asked each time.
    seconds = count(0, FRESH_SECONDS)
    linear = Linear(Connection(url, Secret(KEY)), utc_now, lambda: float(next(seconds)))
    content = msgspec.json.encode(request_for_one(ISSUE))
    headers = {"Authorization": KEY, "Content-Type": "application/json"}
    ours, peer = [], []
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:

        async def card() -> None:
            answers = await linear.look_up([ISSUE])
            ranked = engagements.questions.ask(user_name(0), ISSUE)
            time = Time(LAST_DAY, ZoneInfo("UTC"))
            reply = cards([ranked], answers, time, engagements.questions.hidden(user_name(0)))
            if "Answers cite" not in reply.html:
                raise AssertionError("the card is not complete")

        async def plain() -> None:
            (await client.post(url, content=content)).raise_for_status()

        for _ in range(sizes.rounds):
            ours.append(await _milliseconds(sizes.asked_calls, card))
            peer.append(await _milliseconds(sizes.asked_calls, plain))
    await linear.close()
    return ours, peer


async def _milliseconds(times: int, work: Callable[[], Awaitable[None]]) -> float:
    started = perf_counter()
    for _ in range(times):
        await work()
    return (perf_counter() - started) * 1_000 / times
