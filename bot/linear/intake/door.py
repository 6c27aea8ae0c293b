"""Linear's door: accepts webhooks that Linear signed."""

from http import HTTPStatus

from bot.linear.intake.recorder import WebhookRecorder
from bot.linear.webhooks import SIGNATURE_HEADER, may_be_signature
from bot.settings import LINEAR_PATH
from bot.webhooks.server import Door, Route


def route_of(recorder: WebhookRecorder) -> Route:
    """The route by which Linear's webhooks reach `recorder`."""
    return Route(LINEAR_PATH, _LinearDoor, {"recorder": recorder})


class _LinearDoor(Door):
    """One webhook."""

    def initialize(self, recorder: WebhookRecorder) -> None:
        """Set the route's arguments."""
        self._recorder = recorder

    @property
    def _signature(self) -> str:
        return self.request.headers.get(SIGNATURE_HEADER, "")

    def refused(self) -> HTTPStatus | None:
        """Refuse what comes without anything that can be a signature."""
        return None if may_be_signature(self._signature) else HTTPStatus.UNAUTHORIZED

    async def answer(self) -> HTTPStatus:
        """Record a webhook, if its body is what was signed."""
        body = bytes(self.body)
        if not self._recorder.knows(body, self._signature):
            return HTTPStatus.UNAUTHORIZED
        self.trust()
        return await self._recorder.answer(body)
