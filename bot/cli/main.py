"""The entry point and its commands."""

import io
import os
import sys

import click
from click.shell_completion import shell_complete

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
    user_data,
    users,
    verify,
)
from bot.cli.execution import execute
from bot.cli.logs import configure_logs
from bot.cli.session import Session, json_option, settings_from_environment
from bot.settings import Settings

COMPLETION = "_ENGAGEMENT_COMPLETE"
"""The variable by which a shell asks for completions."""


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
    record.hide,
    record.unhide,
    policy.policy,
    report.report,
    users.users,
    user_data.export,
    user_data.forget,
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
    instruction = os.environ.get(COMPLETION)
    if instruction:
        session = {"obj": Session(_settings)}
        sys.exit(shell_complete(engagement, session, "engagement", COMPLETION, instruction))
    sys.exit(execute(engagement, sys.argv[1:], lambda: Session(_settings)))


def _settings() -> Settings:
    settings = settings_from_environment()
    configure_logs(settings.log_level)
    return settings
