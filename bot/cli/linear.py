"""Commands around Linear: resolution of keys, a check of its schema, and a local one to try."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from bot.cli.context import Session, json_option
from bot.cli.output import counted, show_json
from bot.dates.job_days import RESOLUTION
from bot.settings import LINEAR_PATH, variable_of

if TYPE_CHECKING:
    from bot.linear.client import Linear
    from bot.linear.intake.resolution import Resolved
    from projections.application import Engagements

DEMO_PORT = 8_090


@click.group()
def linear() -> None:
    """Ask Linear which issues were recorded, and check what the bot relies on there."""


@linear.command()
@json_option
@click.pass_obj
def resolve(session: Session) -> int:
    """Ask Linear for the issues of keys that were recorded before it was asked for them.

    What it says is recorded, so issues that moved are merged, and titles show for former keys.
    The running bot does the same once a day. Stops where less than a quarter of Linear's quota is
    left; the next run goes on from there. Keys that are not found are asked for again after 30
    days. Exits with 1 if keys are left.
    """
    from bot.cli.issue import linear_for  # noqa: PLC0415 - loads httpx
    from bot.cli.progress import progress  # noqa: PLC0415 - loads rich
    from bot.linear.intake.resolution import round_of  # noqa: PLC0415 - as above

    with session.engagements() as engagements, engagements.ledger.job_runs.alone(RESOLUTION.job):
        linear, pending = linear_for(session), len(round_of(engagements).keys().pending)
        with progress("resolving", "keys", pending) as update:
            resolved = asyncio.run(_resolved(linear, engagements, lambda done: update(done, done)))
    if session.as_json:
        show_json(resolved._asdict())
        return int(bool(resolved.pending))
    click.echo(f"{counted(resolved.found, 'key')} found, {resolved.not_found:,} not found")
    resolved.expect_none_pending()
    return 0


async def _resolved(
    linear: "Linear", engagements: "Engagements", show: Callable[[int], object]
) -> "Resolved":
    from bot.linear.intake.resolution import resolution_of  # noqa: PLC0415 - as above

    try:
        return await resolution_of(linear, engagements).resolve(show)
    finally:
        await linear.close()


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
