"""Commands that talk: the bot on Telegram or in this terminal, and a tour of what there is."""

import asyncio
import datetime as dt
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
import msgspec

from bot.cli.context import Session, clock_option
from bot.cli.execution import execute
from bot.cli.output import on_terminal, show_text
from bot.settings import LINEAR_PATH, variable_of
from ledger.errors import SettingsError

if TYPE_CHECKING:
    from projections.application import Engagements


# Only the next two commands import the bot, which takes half a second.

PATIENCE_SECONDS = 5.0
"""Seconds that the bot waits for another process's write; then entries go to the spool."""

_listen_option = click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:8080",
    show_default=True,
    help="The host and port to listen on for webhooks: Telegram's, and Linear's at /linear.",
)


@click.command()
@click.option(
    "--webhook", metavar="URL", help="Receive updates from Telegram at this address: https://…"
)
@_listen_option
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
        _chat(session, listen, clock_is_right=clock_is_right)
        return
    from bot.telegram import doors, serve  # noqa: PLC0415 - see the module

    if webhook is not None:
        _check_webhook(session, webhook)
    hook = doors.Webhook(webhook, *_address(listen))
    with _opened(session, clock_is_right=clock_is_right) as engagements:
        click.echo("Starting the bot; Ctrl-C ends it.", err=True)
        asyncio.run(serve.run(engagements, settings, hook))


@click.command()
@_listen_option
@clock_option
@click.pass_obj
def chat(
    session: Session,
    listen: str,
    clock_is_right: bool,  # noqa: FBT001 - click passes a flag so
) -> None:
    """Talk with the bot in this terminal; it needs no token.

    A line is a message, a number presses a button, `@ana: text` speaks as ana.
    """
    _chat(session, listen, clock_is_right=clock_is_right)


def _chat(session: Session, listen: str, *, clock_is_right: bool) -> None:
    from bot import terminal  # noqa: PLC0415 - see the module

    address = _address(listen)
    opened = _opened(session, clock_is_right=clock_is_right)
    with opened as engagements, suppress(KeyboardInterrupt):  # Ctrl-C also ends a chat
        asyncio.run(terminal.chat(engagements, session.settings, _show, address))


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


def _check_webhook(session: Session, url: str) -> None:
    """Raise BadParameter or SettingsError if Telegram cannot send to `url`."""
    settings = session.settings
    if settings.webhook_secret is None:
        raise SettingsError(f"a webhook needs {variable_of('webhook_secret')}")
    address = urlsplit(url)
    if address.scheme not in {"https", "http"} or not address.hostname:
        raise click.BadParameter("must be an https:// address", param_hint="--webhook")
    if settings.linear_webhook_secret is not None and address.path.rstrip("/") == LINEAR_PATH:
        message = f"must have another path than {LINEAR_PATH}, which is Linear's"
        raise click.BadParameter(message, param_hint="--webhook")


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= 65_535:  # noqa: PLR2004 - ports end there
        raise click.BadParameter("must be a host and a port", param_hint="--listen")
    return host, int(port)


# The command that runs a worked example, and then prompts for more commands.

EXAMPLE = (
    ("A fresh ledger:", "init"),
    (
        "Ana asks the bot about an issue:",
        'record ana AI-1799 query --context "How is AI-1799 going?" --key chat-1:7:AI-1799',
    ),
    ("Two weeks ago she mentioned another one:", "record ana DMD-480 mention --at {two_weeks_ago}"),
    ("She opens the first:", "record ana AI-1799 view"),
    (
        "Her message is delivered again, and adds nothing:",
        "record ana AI-1799 query --key chat-1:7:AI-1799",
    ),
    ("What is she most engaged with?", "top ana"),
    ("Why does it score that?", "score ana DMD-480"),
    (
        "And in a month, if nothing happens? Nothing is written for that:",
        "top ana --at {in_a_month}",
    ),
    ("Every answer comes from these events:", "history ana"),
    ("Folding them all again gives the same:", "replay --into check"),
)
"""Pairs of a sentence and the command that it introduces."""


@click.command()
@click.pass_context
def tour(ctx: click.Context) -> None:
    """Run a worked example on a throw-away ledger, then take commands.

    The ledger is deleted afterwards.
    """
    own: Session = ctx.obj
    with tempfile.TemporaryDirectory(prefix="engagement-tour-") as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.db'}"
        settings = msgspec.structs.replace(own.settings, database_url=url, home=folder)
        for sentence, command in EXAMPLE:
            click.echo(f"\n{sentence}")
            _show_tour(
                ctx, Session(lambda: settings, own.clock), command.format_map(_moments(own.clock()))
            )
        for line in _typed():
            _run(ctx, Session(lambda: settings, own.clock), line)


def _moments(now: dt.datetime) -> dict[str, str]:
    return {
        "two_weeks_ago": f"{now - dt.timedelta(days=14):%Y-%m-%dT%H:%MZ}",
        "in_a_month": f"{now + dt.timedelta(days=31):%Y-%m-%dT%H:%MZ}",
    }


def _show_tour(ctx: click.Context, session: Session, line: str) -> None:
    click.secho(f"$ engagement {line}", bold=True)
    _run(ctx, session, line)


def _run(ctx: click.Context, session: Session, line: str) -> None:
    try:
        words = shlex.split(line)
    except ValueError as error:
        click.echo(f"error: {error}", err=True)
        return
    if words[:1] == ["engagement"]:
        words = words[1:]
    if words:
        execute(ctx.find_root().command, words, lambda: session)


def _typed() -> Iterator[str]:
    """Yield the lines of standard input until it ends, with a prompt on a terminal."""
    asking = on_terminal(sys.stdin)
    if asking:
        click.echo("\nYour turn, on the same ledger: `top ana` or `--help`, say. Ctrl-D ends.")
    while True:
        try:
            line = input("engagement> " if asking else "")
        except (EOFError, KeyboardInterrupt, RuntimeError):
            return
        if line.strip() in {"exit", "quit"}:
            return
        yield line
