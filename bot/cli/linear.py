"""Commands around Linear: a local one to try things with, and a check of Linear's schema."""

import asyncio
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import click

from bot.cli.context import Session
from bot.cli.output import counted
from bot.settings import LINEAR_PATH, variable_of

DEMO_PORT = 8_090


@click.group()
def linear() -> None:
    """Check what the bot relies on at Linear."""


@linear.command("check-schema")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
def check_schema(file: Path) -> int:
    """Check the bot's documents against a newer schema of Linear.

    FILE holds it in GraphQL's SDL, and may be compressed by gzip. Linear changes its schema
    monthly: download it, and run this before an update. Exits with 1 if something no longer fits.
    """
    from bot.linear.documents import DOCUMENTS  # noqa: PLC0415 - loads regular expressions
    from bot.linear.schema import (  # noqa: PLC0415 - loads graphql-core
        OURS,
        complaints,
        differences,
        schema_of,
    )

    theirs = schema_of(file)
    found = [*complaints(theirs, DOCUMENTS), *differences(schema_of(OURS), theirs)]
    for each in found:
        click.echo(f"error: {each}", err=True)
    if not found:
        click.echo(f"all {counted(len(DOCUMENTS), 'document')} fit")
    return int(bool(found))


@click.command("linear-demo")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEMO_PORT,
    show_default=True,
    help="Where to listen on this machine; 0 takes any port that is free.",
)
@click.option(
    "--webhook",
    metavar="URL",
    help=f"Send webhooks of changes here, as http://127.0.0.1:8080{LINEAR_PATH} for a bot on this "
    "machine; a form posted to /change changes an issue.",
)
@click.pass_obj
def linear_demo(session: Session, port: int, webhook: str | None) -> None:
    """Run a local Linear with a small invented workspace, until Ctrl-C.

    It prints the settings to export where the bot is to run. Without --webhook nothing leaves this
    machine.
    """
    if webhook is not None and urlsplit(webhook).scheme not in {"http", "https"}:
        raise click.BadParameter("must be an http:// address", param_hint="--webhook")
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(session, port, webhook))


async def _serve(session: Session, port: int, webhook: str | None) -> None:
    from bot.linear import demo  # noqa: PLC0415 - loads graphql-core
    from bot.linear.demo.workspace import TEAM_KEYS  # noqa: PLC0415 - as above

    local = demo.LocalLinear(demo.invented(session.clock()), session.clock)
    secret = {}
    if webhook is not None:
        local.webhooks = demo.Webhooks(demo.sender(webhook), session.clock)
        secret = {"linear_webhook_secret": demo.SECRET}
    async with local.serving(port) as url:
        settings = {"linear_api_key": local.key, "linear_url": url}
        for field, value in (settings | {"team_keys": ",".join(TEAM_KEYS)} | secret).items():
            click.echo(f"export {variable_of(field)}={value}")
        message = (
            "Listening. Give these lines to another shell, then `make run` there, and ask for "
            "AI-1799, WEB-7 or DMD-480. Ctrl-C ends it."
        )
        click.echo(message, err=True)
        await asyncio.Event().wait()
