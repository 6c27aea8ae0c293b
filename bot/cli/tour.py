"""The command that runs a worked example, and then prompts for more commands."""

import datetime as dt
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from bot.cli.execution import execute
from bot.cli.session import Session
from bot.cli.shown import on_terminal

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
    ("Folding them all again gives the same:", "replay"),
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
            _show(
                ctx, Session(lambda: settings, own.clock), command.format_map(_moments(own.clock()))
            )
        for line in _typed():
            _run(ctx, Session(lambda: settings, own.clock), line)


def _moments(now: dt.datetime) -> dict[str, str]:
    return {
        "two_weeks_ago": f"{now - dt.timedelta(days=14):%Y-%m-%dT%H:%MZ}",
        "in_a_month": f"{now + dt.timedelta(days=31):%Y-%m-%dT%H:%MZ}",
    }


def _show(ctx: click.Context, session: Session, line: str) -> None:
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
