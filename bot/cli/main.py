"""The entry point and its commands."""

import io
import sys

import click

from bot.cli import (
    archive,
    ask,
    clock,
    doctor,
    explain,
    imports,
    policy,
    record,
    replay,
    report,
    talk,
    timeline,
    tour,
    verify,
)
from bot.cli.execution import execute
from bot.cli.logs import configure_logs
from bot.cli.session import Session, json_option, settings_from_environment


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="engagement-ledger", message="%(prog)s %(version)s")
@json_option
def engagement() -> None:
    """Record who engages with which issue, and ask what that says at any moment.

    Settings come from the environment or from .env; `engagement doctor` shows them.
    """


for command in (
    talk.run,
    talk.chat,
    record.init,
    record.record,
    imports.imports,
    ask.score,
    ask.top,
    ask.stats,
    ask.engagements,
    ask.history,
    explain.explain,
    timeline.timeline,
    record.set_score,
    policy.policy,
    report.report,
    replay.replay,
    archive.compact,
    archive.archive,
    clock.clock,
    doctor.doctor,
    verify.verify,
    tour.tour,
):
    engagement.add_command(command)


def main() -> None:
    """Run one command and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names need more than ASCII
    sys.exit(execute(engagement, sys.argv[1:], _session))


def _session() -> Session:
    settings = settings_from_environment()
    configure_logs(settings.log_level)
    return Session(settings)
