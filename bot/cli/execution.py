"""Running one command: exit codes, and how a failure is told."""

import os
import sys
from collections.abc import Callable, Sequence

import click

from bot.cli.session import Session
from ledger.errors import LedgerError

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def execute(group: click.Command, arguments: Sequence[str], session: Callable[[], Session]) -> int:
    """Run one command and return its exit code; a failure is told in one line on stderr.

    0 done, 1 refused or failed, 2 usage, 130 interrupted.
    """
    try:
        code = group.main(list(arguments), "engagement", standalone_mode=False, obj=session())
    except click.UsageError as error:
        return _fail(_usage(error), USAGE)
    except click.ClickException as error:
        return _fail(error.format_message(), FAILED)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing may be flushed into it at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (LedgerError, ValueError, OSError) as error:
        return _fail(_described(error), FAILED)
    return code if isinstance(code, int) else DONE


def _usage(error: click.UsageError) -> str:
    where = error.ctx.command_path if error.ctx else "engagement"
    return f"{error.format_message()} (`{where} --help` explains)"


def _described(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _fail(message: str, code: int) -> int:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    return code
