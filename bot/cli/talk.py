"""Commands that talk: the bot on Telegram, and the bot in this terminal.

Only these two import the bot, which takes half a second.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from bot.cli.session import Session, clock_option
from bot.cli.shown import show_text
from bot.settings import variable_of
from ledger.errors import SettingsError

if TYPE_CHECKING:
    from projections.application import Engagements

PATIENCE_SECONDS = 5.0
"""Seconds that the bot waits for another process's write; then entries go to the spool."""


@click.command()
@click.option(
    "--webhook", metavar="URL", help="Receive updates from Telegram at this address: https://…"
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:8080",
    show_default=True,
    help="The host and port to listen on for the webhook.",
)
@click.option("--or-chat", is_flag=True, help="Without a token, open the chat in this terminal.")
@clock_option
@click.pass_obj
def run(
    session: Session,
    webhook: str | None,
    listen: str,
    or_chat: bool,  # noqa: FBT001 - click passes a flag so
    clock_is_right: bool,  # noqa: FBT001 - click passes a flag so
) -> None:
    """Run the bot on Telegram.

    It polls for updates, or takes them from a webhook, until SIGTERM or Ctrl-C.
    """
    settings = session.settings
    if settings.telegram_bot_token is None:
        if not or_chat:
            message = (
                f"{variable_of('telegram_bot_token')} is not set; `engagement chat` needs no token"
            )
            raise SettingsError(message)
        _chat(session, clock_is_right=clock_is_right)
        return
    from bot.telegram import running  # noqa: PLC0415 - see the module

    hook = (
        None if webhook is None else running.Webhook(webhook, *_address(session, webhook, listen))
    )
    with _opened(session, clock_is_right=clock_is_right) as engagements:
        click.echo("Starting the bot; Ctrl-C ends it.", err=True)
        asyncio.run(running.run(engagements, settings, hook))


@click.command()
@clock_option
@click.pass_obj
def chat(session: Session, clock_is_right: bool) -> None:  # noqa: FBT001 - click passes a flag so
    """Talk with the bot in this terminal; it needs no token.

    A line is a message, a number presses a button, `@ana: text` speaks as ana.
    """
    _chat(session, clock_is_right=clock_is_right)


def _chat(session: Session, *, clock_is_right: bool) -> None:
    from bot import terminal  # noqa: PLC0415 - see the module

    opened = _opened(session, clock_is_right=clock_is_right)
    with opened as engagements, suppress(KeyboardInterrupt):  # Ctrl-C also ends a chat
        asyncio.run(terminal.chat(engagements, session.settings, _show))


def _show(text: str) -> None:
    for line in text.split("\n"):
        show_text(line)


@contextmanager
def _opened(session: Session, *, clock_is_right: bool) -> Iterator["Engagements"]:
    from bot.clocks import ClockGuard  # noqa: PLC0415 - loads SQLAlchemy
    from projections.application import Engagements  # noqa: PLC0415 - as above

    url = session.settings.database_url
    with Engagements(url, clock=session.clock, patience_seconds=PATIENCE_SECONDS) as engagements:
        if clock_is_right:
            ClockGuard(engagements).confirm()
        yield engagements


def _address(session: Session, url: str, listen: str) -> tuple[str, int]:
    """Parse host and port of `listen`; raises UsageError for an invalid webhook."""
    if session.settings.webhook_secret is None:
        raise SettingsError(f"a webhook needs {variable_of('webhook_secret')}")
    address = urlsplit(url)
    if address.scheme not in {"https", "http"} or not address.hostname:
        raise click.BadParameter("must be an https:// address", param_hint="--webhook")
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= 65_535:  # noqa: PLR2004 - ports end there
        raise click.BadParameter("must be a host and a port", param_hint="--listen")
    return host, int(port)
