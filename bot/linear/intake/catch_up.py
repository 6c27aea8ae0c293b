"""Catching up: what changed at Linear while its webhooks did not come."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.linear.client import Linear
from bot.linear.decoding import Failed
from bot.linear.intake.recorder import Take, record_all
from bot.linear.issue_decoding import Changes
from bot.linear.observed import observation_of
from ledger.application import Clock
from ledger.instants import DAY, Instant, instant_of
from ledger.observations import Observation

_log = logging.getLogger(__name__)

PAUSE_SECONDS = 3_600.0
MARGIN = 8 * 3_600_000_000
"""How long before the latest known change it begins: so long Linear sends webhooks again."""
OVERLAP = 60_000_000
"""How much of what it has read it reads again the next time."""
FIRST_SPAN = DAY
"""How far it looks back where nothing is known yet."""


class CatchUp:
    """Reads what changed, at the start and each hour; a change that is known adds nothing."""

    def __init__(
        self, linear: Linear, take: Take, latest: Callable[[], Instant | None], clock: Clock
    ) -> None:
        """Pass observations to `take`; `latest` is the latest change that is known, if any."""
        self._linear = linear
        self._take = take
        self._latest = latest
        self._clock = clock
        self._since: Instant | None = None

    async def run(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Catch up each hour, until cancelled. What fails is tried again an hour later."""
        while True:
            try:
                reason = await self.catch_up()
            except Exception as error:  # noqa: BLE001 - nothing of this may end the bot (R13)
                reason = type(error).__name__
            if reason is not None:
                _log.warning("changes at Linear not read", extra={"why": reason})
            await sleep(PAUSE_SECONDS)

    async def catch_up(self) -> str | None:
        """Read all changes since the last time; return the reason if not all could be read.

        Then the next time begins where this one did.
        """
        if self._since is None:
            self._since = await asyncio.to_thread(self._first)
        since, after, latest = self._since, None, self._since
        while True:
            page = await self._linear.changed_since(since, after)
            if isinstance(page, Failed):
                return page.reason.value
            observed = self._observations(page)
            failure = await record_all(self._take, observed)
            if failure is not None:
                return failure
            latest = max([latest, *(each.updated_at for each in observed)])
            if page.after is None:
                break
            if self._linear.quota.is_scarce:
                return "little of its limit is left"
            after = page.after
        self._since = Instant(max(since, latest - OVERLAP))
        return None

    def _first(self) -> Instant:
        latest = self._latest()
        if latest is None:
            return Instant(instant_of(self._clock()) - FIRST_SPAN)
        return Instant(latest - MARGIN)

    def _observations(self, page: Changes) -> list[Observation]:
        now = instant_of(self._clock())
        read = (observation_of(issue, now) for issue in page.issues)
        return [each for each in read if each is not None]
