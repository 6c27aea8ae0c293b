"""Execution of one command: exit codes and error messages."""

import os
import sys
from collections.abc import Callable, Sequence

import click

from bot.cli.context import Session
from bot.cli.exits import DONE, FAILED, INTERRUPTED, USAGE
from bot.cli.output import printable
from ledger.errors import LedgerError

FAILURES = (
    click.ClickException,
    click.Abort,
    KeyboardInterrupt,
    LedgerError,
    ValueError,
    OSError,
)
"""The exceptions that a command may end with; any other is a fault of the program."""


def execute(group: click.Command, arguments: Sequence[str], session: Callable[[], Session]) -> int:
    """Run one command and return its exit code; a failure is reported in one line on stderr.

    0 done, 1 refused or failed, 2 usage, 130 interrupted.
    """
    try:
        # Not group.main, which handles broken pipes differently.
        with group.make_context("engagement", list(arguments), obj=session()) as context:
            code = group.invoke(context)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = USAGE
    except BrokenPipeError:
        code = DONE  # the reader of the output has closed it
    except FAILURES as error:
        message, code = _told(error)
        click.echo(f"error: {printable(' '.join(message.split()))}", err=True)
    _settle_output()
    return code if isinstance(code, int) else DONE


def _settle_output() -> None:
    """Discard output that cannot be written, on which the interpreter would fail at its exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(error: BaseException) -> tuple[str, int]:
    match error:
        case click.UsageError():
            where = error.ctx.command_path if error.ctx else "engagement"
            return f"{error.format_message()} (`{where} --help` explains)", USAGE
        case click.ClickException():
            return error.format_message(), FAILED
        case click.Abort() | KeyboardInterrupt():
            return "interrupted", INTERRUPTED
        case OSError(strerror=str(reason), filename=None):
            return reason, FAILED
        case OSError(strerror=str(reason), filename=filename):
            return f"{filename}: {reason}", FAILED
    return str(error), FAILED
