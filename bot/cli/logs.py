"""Logs: structured lines on stderr, without message texts and tokens."""

import logging
import sys
from functools import cached_property
from typing import TextIO

from bot.cli.output import on_terminal

OWN = ("ledger", "projections", "bot")
TALKATIVE = ("apscheduler", "asyncio", "httpcore", "httpx", "matplotlib", "telegram", "tornado")
"""Libraries that log every operation with its data."""

_OF_EVERY_RECORD = vars(logging.makeLogRecord({})).keys()


class ForeignRecords(logging.Filter):
    """Passes warnings of libraries on without their data.

    Libraries log entire updates, URLs with the token, and exceptions that quote either. Only the
    constant part of the message and the exception's type are kept.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log `record`, after removing its data."""
        if record.name.partition(".")[0] in OWN:
            return True
        if record.levelno < logging.WARNING:
            return False
        # Without arguments the text may have been formatted with any data.
        if not (record.args and isinstance(record.msg, str)):
            record.msg = f"{record.funcName}, line {record.lineno}"
        record.args = None
        for name in vars(record).keys() - _OF_EVERY_RECORD:
            delattr(record, name)
        if record.exc_info and record.exc_info[0]:
            record.error = record.exc_info[0].__name__
        record.exc_info = record.exc_text = record.stack_info = None
        return True


def configure_logs(level: str) -> None:
    """Log to stderr from `level` on: readable text on a terminal, JSON elsewhere."""
    logging.basicConfig(level=level.upper(), handlers=[handler_for(sys.stderr)], force=True)


def handler_for(stream: TextIO) -> logging.Handler:
    """A handler that writes log records to `stream`, one per line, and quiets verbose libraries."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    handler = logging.StreamHandler(stream)
    handler.addFilter(ForeignRecords())
    handler.setFormatter(_Structured(watched=on_terminal(stream)))
    return handler


class _Structured(logging.Formatter):
    """Formats by structlog, imported for the first record, since most commands log none."""

    def __init__(self, *, watched: bool) -> None:
        """Format as readable text if `watched` on a terminal, else as JSON."""
        super().__init__()
        self._watched = watched

    def format(self, record: logging.LogRecord) -> str:
        """Format one record as a line."""
        return self._structlog.format(record)

    @cached_property
    def _structlog(self) -> logging.Formatter:
        import structlog  # noqa: PLC0415 - see the class

        before: list[structlog.types.Processor] = [
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ]
        rendered = (
            structlog.dev.ConsoleRenderer()
            if self._watched
            else structlog.processors.JSONRenderer()
        )
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, rendered],
        )
