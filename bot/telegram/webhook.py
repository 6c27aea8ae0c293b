"""Telegram's door: accepts updates from Telegram only, by a secret in the headers."""

import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlsplit

import telegram

from bot.webhooks.server import Door, Route

_log = logging.getLogger(__name__)

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a name, no secret

Take = Callable[[telegram.Update], Awaitable[bool]]
"""Records an update and returns whether it may be acknowledged."""


def route_of(bot: telegram.Bot, take: Take, *, url: str, secret: str) -> Route:
    """The route by which updates that Telegram sends to `url` are passed to `take`."""
    return Route(urlsplit(url).path, _TelegramDoor, {"bot": bot, "take": take, "secret": secret})


class _TelegramDoor(Door):
    """One update."""

    def initialize(self, bot: telegram.Bot, take: Take, secret: str) -> None:
        """Set the route's arguments."""
        self._bot = bot
        self._take = take
        self._secret = secret

    def refused(self) -> HTTPStatus | None:
        """Refuse what comes without the secret."""
        said = self.request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(said.encode(), self._secret.encode()):
            return HTTPStatus.FORBIDDEN
        self.trust()
        return None

    async def answer(self) -> HTTPStatus:
        """Record an update: 200 acknowledges it, 503 makes Telegram send it again."""
        update = self._update()
        if update is None:
            return HTTPStatus.BAD_REQUEST
        return HTTPStatus.OK if await self._take(update) else HTTPStatus.SERVICE_UNAVAILABLE

    def _update(self) -> telegram.Update | None:
        try:
            return telegram.Update.de_json(json.loads(self.body), self._bot)
        except Exception as error:  # noqa: BLE001 - the library may raise anything for an invalid update
            _log.warning("not an update", extra={"error": type(error).__name__})
            return None
