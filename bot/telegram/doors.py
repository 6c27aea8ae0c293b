"""The doors for webhooks: Telegram's, and Linear's beside it, at one address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from telegram import Bot, Update

from bot.linear.intake.recorder import WebhookRecorder
from bot.settings import Settings
from bot.telegram.sending import persistently

if TYPE_CHECKING:
    from bot.telegram.webhook import Take
    from bot.webhooks.server import Route

UPDATES = [
    Update.MESSAGE,
    Update.EDITED_MESSAGE,
    Update.CALLBACK_QUERY,
    Update.MY_CHAT_MEMBER,
    Update.INLINE_QUERY,
    Update.CHOSEN_INLINE_RESULT,
    Update.GUEST_MESSAGE,
]
"""The kinds of updates that the bot requests from Telegram."""

HOST, PORT = "127.0.0.1", 8080
"""Where to listen for webhooks, unless another address is given."""


class Webhook(NamedTuple):
    """The URL to which Telegram sends updates, None if the bot polls for them, and the address at
    which this process listens for all webhooks.
    """

    url: str | None = None
    host: str = HOST
    port: int = PORT


POLLING = Webhook()


@asynccontextmanager
async def open_doors(
    bot: Bot, take: "Take", recorder: WebhookRecorder | None, settings: Settings, webhook: Webhook
) -> AsyncIterator[None]:
    """Listen for webhooks if there are any: Telegram's go to `take`, Linear's to `recorder`."""
    routes = []
    if webhook.url is not None:
        routes.append(_telegrams(bot, take, settings, webhook.url))
    if recorder is not None:
        routes.append(_linears(recorder))
    if not routes:
        yield
        return
    from bot.webhooks.server import listening  # noqa: PLC0415 - polling needs no tornado

    async with listening(routes, (webhook.host, webhook.port)):
        yield


async def have_updates_sent(bot: Bot, settings: Settings, url: str) -> None:
    """Have Telegram send updates to `url`, whose door is open."""
    secret = _secret_of(settings)
    await persistently(partial(bot.set_webhook, url, allowed_updates=UPDATES, secret_token=secret))


def _telegrams(bot: Bot, take: "Take", settings: Settings, url: str) -> "Route":
    from bot.telegram.webhook import route_of  # noqa: PLC0415 - loads tornado

    return route_of(bot, take, url=url, secret=_secret_of(settings))


def _linears(recorder: WebhookRecorder) -> "Route":
    from bot.linear.intake.door import route_of  # noqa: PLC0415 - loads tornado

    return route_of(recorder)


def _secret_of(settings: Settings) -> str:
    if settings.webhook_secret is None:
        raise ValueError("there is no secret")
    return settings.webhook_secret.reveal()
