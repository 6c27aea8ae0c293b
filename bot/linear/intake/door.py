"""Linear's door: accepts webhooks that Linear signed, and acknowledges what is recorded."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from bot.linear.webhooks import (
    SIGNATURE_HEADER,
    Nothing,
    Problem,
    is_signed,
    may_be_signature,
    meaning_of,
)
from bot.settings import LINEAR_PATH, Secret
from bot.webhooks.server import Door, Route
from ledger.clock import Clock
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

_STATUSES = {
    Problem.STALE: HTTPStatus.FORBIDDEN,
    Problem.UNREADABLE: HTTPStatus.BAD_REQUEST,
}


class Intake:
    """Records what webhooks say; the same one again, or an older one, changes nothing."""

    def __init__(self, take: Take, secret: Secret, clock: Clock) -> None:
        """Pass observations to `take`; `secret` is what Linear signs with."""
        self._take = take
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
        return await self._record(meaning)

    async def _record(self, observation: Observation) -> HTTPStatus:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._take(observation)
        except InvalidInteractionError as refusal:
            _log.warning("webhook refused", extra={"reason": f"its {refusal.field} is invalid"})
            return HTTPStatus.BAD_REQUEST
        except Exception as error:  # noqa: BLE001 - Linear sends it again
            _log.warning("webhook not recorded", extra={"error": type(error).__name__})
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.OK

    def _note(self, unknown_type: str | None) -> None:
        """Log a type that this version does not know, once."""
        if unknown_type is None or unknown_type in self._unknown:
            return
        if len(self._unknown) < TYPES_AT_MOST:
            self._unknown.add(unknown_type)
            _log.warning("webhook of an unknown type", extra={"type": unknown_type})


def route_of(intake: Intake) -> Route:
    """The route by which Linear's webhooks reach `intake`."""
    return Route(LINEAR_PATH, _LinearDoor, {"intake": intake})


class _LinearDoor(Door):
    """One webhook."""

    def initialize(self, intake: Intake) -> None:
        """Set the route's arguments."""
        self._intake = intake

    @property
    def _signature(self) -> str:
        return self.request.headers.get(SIGNATURE_HEADER, "")

    def refused(self) -> HTTPStatus | None:
        """Refuse what comes without anything that can be a signature."""
        return None if may_be_signature(self._signature) else HTTPStatus.UNAUTHORIZED

    async def answer(self) -> HTTPStatus:
        """Record a webhook, if its body is what was signed."""
        body = bytes(self.body)
        if not self._intake.knows(body, self._signature):
            return HTTPStatus.UNAUTHORIZED
        self.trust()
        return await self._intake.answer(body)
