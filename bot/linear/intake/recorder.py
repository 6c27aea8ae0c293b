"""Recording of what Linear says: of webhooks, before they are acknowledged, and of look-ups."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus

from bot.linear.link_attempts import Attempt, Attempts, attempt_in
from bot.linear.webhooks import (
    Nothing,
    Problem,
    is_signed,
    meaning_of,
)
from bot.settings import Secret
from ledger.application import Clock
from ledger.errors import InvalidInteractionError
from ledger.instants import instant_of
from ledger.observations import Observation

_log = logging.getLogger(__name__)

ANSWER_SECONDS = 4.0
"""Linear waits for five."""
TYPES_AT_MOST = 100
"""The most unknown types that are logged."""

Take = Callable[[Observation], Awaitable[object]]
"""Records an observation; it is durable when that returns."""
Redeem = Callable[[Attempt], Awaitable[object]]
"""Links a user to the author of a comment if the code in it is right, durably as `Take` does."""


async def record_all(take: Take, observed: Iterable[Observation]) -> str | None:
    """Record observations; return why one was not, unless the ledger refuses it for ever."""
    done = await asyncio.gather(*map(take, observed), return_exceptions=True)
    refused = [each for each in done if isinstance(each, InvalidInteractionError)]
    if refused:
        _log.warning("issues not taken", extra={"issues": len(refused)})
    failed = [each for each in done if isinstance(each, BaseException) and each not in refused]
    return type(failed[0]).__name__ if failed else None


_STATUSES = {
    Problem.STALE: HTTPStatus.FORBIDDEN,
    Problem.UNREADABLE: HTTPStatus.BAD_REQUEST,
}


class WebhookRecorder:
    """Records what webhooks say; the same one again, or an older one, changes nothing."""

    def __init__(
        self, take: Take, secret: Secret, clock: Clock, redeem: Redeem | None = None
    ) -> None:
        """Pass observations to `take`, and link codes in comments to `redeem`.

        `secret` is what Linear signs with.
        """
        self._take = take
        self._redeem = redeem
        self._attempts = Attempts()
        self._secret = secret
        self._clock = clock
        self._unknown: set[str] = set()

    def knows(self, body: bytes, signature: str) -> bool:
        """Whether Linear signed `body`."""
        return is_signed(body, signature, self._secret.reveal())

    async def answer(self, body: bytes) -> HTTPStatus:
        """Record a webhook that Linear signed, and return the status to answer with.

        200 acknowledges it. Linear sends again what gets another status, three times.
        """
        meaning = meaning_of(body, instant_of(self._clock()))
        if isinstance(meaning, Problem):
            _log.warning("webhook refused", extra={"reason": f"it {meaning.value}"})
            return _STATUSES[meaning]
        if isinstance(meaning, Nothing):
            self._note(meaning.unknown_type)
            return HTTPStatus.OK
        return await self._record(meaning, attempt_in(body, meaning))

    async def _record(self, observation: Observation, attempt: Attempt | None) -> HTTPStatus:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._try(attempt)
                await self._take(observation)
        except InvalidInteractionError as refusal:
            _log.warning("webhook refused", extra={"reason": f"it has an invalid {refusal.field}"})
            return HTTPStatus.BAD_REQUEST
        except Exception as error:  # noqa: BLE001 - Linear sends it again
            _log.warning("webhook not recorded", extra={"error": type(error).__name__})
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.OK

    async def _try(self, attempt: Attempt | None) -> None:
        if attempt is None or self._redeem is None:
            return
        if self._attempts.may_try(attempt.author.id, instant_of(self._clock())):
            await self._redeem(attempt)
        else:
            _log.warning("link codes of one author ignored for an hour")

    def _note(self, unknown_type: str | None) -> None:
        """Log a type that this version does not know, once."""
        if unknown_type is None or unknown_type in self._unknown:
            return
        if len(self._unknown) < TYPES_AT_MOST:
            self._unknown.add(unknown_type)
            _log.warning("webhook of an unknown type", extra={"type": unknown_type})
