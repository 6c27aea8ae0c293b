"""Resolution of old keys in one process that is killed at any moment, without a network."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from bot.linear.client import Linear
from bot.linear.decoding import Failed, Response
from bot.linear.documents import Request
from bot.linear.intake.recorder import Take
from bot.linear.intake.resolution import Key, Keys, Resolution, round_of
from ledger.instants import moment_of
from ledger.observations import Observation
from projections.application import Engagements
from tests.support.linear_client_and_server import FakeMonotonicClock
from tests.support.resolved_keys import OldKeys, answers
from tests.support.strategies import NOON
from tests.support.trials.hidden_teams import ExecutingSender, World

KEYS = 14
ASKED = "asked"
HASTY = "progress first"


def hasty(base: type[Resolution]) -> type[Resolution]:
    """A class with the planted fault: it notes progress before the observations are durable."""

    class Hasty(base):  # type: ignore[misc, valid-type]
        def __init__(self, linear: Linear, take: Take, *given: Any) -> None:
            super().__init__(linear, self._take_later, *given)
            self._late: list[Observation] = []
            self._take_now = take

        async def _take_later(self, observation: Observation) -> None:
            self._late.append(observation)

        async def _advance(self, keys: Keys, to: Key) -> None:
            await super()._advance(keys, to)
            for each in self._late:
                await self._take_now(each)
            self._late.clear()

    return Hasty


class _NotingSender(ExecutingSender):
    """Appends each key that is asked for singly to a file before it answers."""

    def __init__(self, file: Path) -> None:
        super().__init__(World(_old().workspace(), (), float("inf")))
        self._file = file

    async def send(self, request: Request) -> Response | Failed:
        if "id" in request.variables:
            with self._file.open("a") as noted:
                noted.write(f"{request.variables['id']}\n")
        return await super().send(request)


def _old() -> OldKeys:
    """The same keys each time."""
    return OldKeys(random.Random(5), KEYS)


def _opened(folder: Path) -> Engagements:
    return Engagements(f"sqlite:///{folder}/ledger.db", clock=lambda: moment_of(NOON))


def make(folder: Path) -> None:
    """Make a ledger whose keys Linear was not asked for."""
    folder.mkdir(parents=True)
    with _opened(folder) as engagements:
        _old().record(engagements)
        (folder / ASKED).touch()


def resolve(folder: Path, how: str = "") -> None:
    """Resolve all keys of the ledger in a folder."""
    of = hasty(Resolution) if how == HASTY else Resolution
    with _opened(folder) as engagements:
        linear = Linear(_NotingSender(folder / ASKED), engagements.clock, FakeMonotonicClock())
        record, clock = engagements.ledger.record_async, engagements.clock
        asyncio.run(of(linear, record, round_of(engagements), clock).resolve())


class Said(NamedTuple):
    """The answers of a ledger once all keys were resolved."""

    findings: Any
    """Damage, keys that are left, and keys that were asked for singly more than twice."""
    answers: Any


def said_by(folder: Path) -> Said:
    """The answers of the ledger, which goes on from where it was."""
    resolve(folder)
    again = [
        key for key, times in Counter((folder / ASKED).read_text().split()).items() if times > 2
    ]
    with _opened(folder) as engagements:
        pending = round_of(engagements).keys().pending
        findings = [*engagements.maintenance.verify().findings, *pending, *again]
        return Said(findings, answers(engagements, _old().keys))
