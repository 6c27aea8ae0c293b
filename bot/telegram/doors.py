"""The doors for webhooks: Telegram's, and Linear's beside it, at one address."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from telegram import Update

from bot.application import EngagementBot
from bot.settings import Settings
from bot.telegram.sending import persistently

if TYPE_CHECKING:
    from bot.webhooks.server import Route

UPDATES = [
    Update.MESSAGE,
    Update.EDITED_MESSAGE,
    Update.CALLBACK_QUERY,
    Update.MY_CHAT_MEMBER,
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
    bot: EngagementBot, settings: Settings, webhook: Webhook
) -> AsyncIterator[None]:
    """Listen for the webhooks that the settings name, if any."""
    routes = list(_routes(bot, settings, webhook))
    if not routes:
        yield
        return
    from bot.webhooks.server import listening  # noqa: PLC0415 - polling needs no tornado

    async with listening(routes, (webhook.host, webhook.port)):
        yield


async def have_updates_sent(bot: EngagementBot, settings: Settings, url: str) -> None:
    """Have Telegram send updates to `url`, whose door is open."""
    telegrams = bot.application.bot
    secret = _secret_of(settings)
    await persistently(
        partial(telegrams.set_webhook, url, allowed_updates=UPDATES, secret_token=secret)
    )


def _routes(bot: EngagementBot, settings: Settings, webhook: Webhook) -> Iterator["Route"]:
    if webhook.url is not None:
        from bot.telegram.webhook import route_of  # noqa: PLC0415 - loads tornado

        secret = _secret_of(settings)
        yield route_of(bot.application.bot, bot.queue.take, url=webhook.url, secret=secret)
    if bot.webhooks is not None:
        from bot.linear.intake import door  # noqa: PLC0415 - loads tornado

        yield door.route_of(bot.webhooks)


def _secret_of(settings: Settings) -> str:
    if settings.webhook_secret is None:
        raise ValueError("there is no secret")
    return settings.webhook_secret.reveal()
