"""The entry point and its commands, each imported only when it is chosen."""

import atexit
import gc
import io
import os
import sys
from importlib import import_module

import click
from click.shell_completion import shell_complete

from bot.cli.context import Session, json_option, settings_from_environment
from bot.cli.execution import execute
from bot.settings import Settings

# A group that imports a command when it is chosen, and lists all commands without that.


class Listed(click.Command):
    """A command as the group's help and the shell's completion list it."""

    def __init__(self, name: str, place: str, summary: str) -> None:
        """`place` is `module:attribute`, and `summary` how the command's own help begins."""
        super().__init__(name, help=summary)
        self._place = place

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self._place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


class LazyGroup(click.Group):
    """A group of listed commands; only the one that the arguments choose is imported."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return what click does, with the command itself in place of the listed one."""
        name, command, left = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Listed) else command, left


# The group of commands that import histories.


@click.group("import", cls=LazyGroup)
def imports() -> None:
    """Import a history from elsewhere.

    Doing it again adds nothing.
    """


for name, place, summary in (
    ("csv", "import_csv:import_csv", "Import FILE, plain or gzipped, or - for standard input."),
    (
        "git",
        "import_git:import_git",
        "Import the commits of the repository in DIR that name issues.",
    ),
    (
        "telegram",
        "import_telegram:import_telegram",
        "Import FILE, a JSON export from Telegram Desktop, or - for standard input.",
    ),
):
    imports.add_command(Listed(name, f"bot.cli.{place}", summary))


# The entry point, and the list of commands.

COMPLETION = "_ENGAGEMENT_COMPLETE"
"""The variable by which a shell asks for completions."""


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="engagement-ledger", message="%(prog)s %(version)s")
@json_option
def engagement() -> None:
    """Record who engages with which issue, and ask about scores at any moment.

    Settings come from the environment or from .env; `engagement doctor` shows them.
    """


for name, place, summary in (
    ("run", "talk:run", "Run the bot on Telegram."),
    ("chat", "talk:chat", "Talk with the bot in this terminal; it needs no token."),
    ("init", "record:init", "Create the ledger if there is none."),
    ("record", "record:record", "Record one interaction of USER with ISSUE."),
    ("import", "main:imports", "Import a history from elsewhere."),
    ("score", "ask:score", "Show how USER's engagement with ISSUE scores, and why."),
    (
        "top",
        "ask:top",
        "Show the issues that USER is most engaged with, without the hidden ones.",
    ),
    ("stats", "ask:stats", "Show USER's totals."),
    (
        "engagements",
        "ask:engagements",
        "Show all issues that USER ever touched, including hidden ones.",
    ),
    ("history", "ask:history", "Show the events of USER, with ISSUE or all, the oldest first."),
    ("explain", "explain:explain", "Explain USER's score of ISSUE, down to the events."),
    (
        "timeline",
        "timeline:timeline",
        "Show USER's score of ISSUE over time, or the five highest.",
    ),
    ("set-score", "record:set_score", "Set the base of a score, 0.0 to 1.0."),
    ("hide", "record:hide", "Leave ISSUE out of USER's lists and briefings from now on."),
    ("unhide", "record:unhide", "Show ISSUE in USER's lists again."),
    (
        "issue",
        "issue:issue",
        "Show what Linear says of issues: titles, states, blockers and what else is on cards.",
    ),
    (
        "link",
        "link:link",
        "Link USER to the Linear user with LINEAR_USER_ID, a UUID, without a proof.",
    ),
    ("unlink", "link:unlink", "Delete what says who USER is in Linear, as the bot's /unlink does."),
    (
        "linear",
        "linear:linear",
        "Ask Linear which issues were recorded, and check what the bot relies on there.",
    ),
    (
        "linear-demo",
        "linear:linear_demo",
        "Run a local Linear with a small invented workspace, until Ctrl-C.",
    ),
    ("webhook", "webhook:webhook", "Try the webhook by which Linear reports changes."),
    ("policy", "policy:policy", "Show, try and adopt policies: the numbers of the formula."),
    ("report", "report:report", "Write an audit as one page of HTML."),
    ("users", "users:users", "List the users, or those with TEXT in their id or display name."),
    (
        "export",
        "users:export",
        "Write everything recorded about USER to FILE, as the bot's /export does.",
    ),
    (
        "forget",
        "users:forget",
        "Delete what links the past to USER, as the bot's /forget does.",
    ),
    ("replay", "replay:replay", "Fold every event again and compare with the read model."),
    (
        "compact",
        "archive:compact",
        "Move the oldest events into the archive; exits with 1 if a segment is missing or damaged.",
    ),
    (
        "archive",
        "archive:archive",
        "List, check, restore and merge the segments that hold sealed events.",
    ),
    ("clock", "clock:clock", "Show the clock's time, and when the last event or job run was."),
    ("doctor", "doctor:doctor", "Look for problems."),
    (
        "verify",
        "doctor:verify",
        "Look for damage: every row, index, segment, engagement, barrier and waiting entry.",
    ),
    ("tour", "talk:tour", "Run a worked example on a throw-away ledger, then take commands."),
):
    engagement.add_command(Listed(name, f"bot.cli.{place}", summary))


def main() -> None:
    """Run one command and exit with its code."""
    atexit.register(gc.freeze)  # or the interpreter looks for cycles among all objects as it ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names are not always ASCII
    instruction = os.environ.get(COMPLETION)
    if instruction:
        session = {"obj": Session(_settings)}
        sys.exit(shell_complete(engagement, session, "engagement", COMPLETION, instruction))
    sys.exit(execute(engagement, sys.argv[1:], lambda: Session(_settings)))


def _settings() -> Settings:
    from bot.cli.logs import configure_logs  # noqa: PLC0415 - commands without settings log nothing

    settings = settings_from_environment()
    configure_logs(settings.log_level)
    return settings
