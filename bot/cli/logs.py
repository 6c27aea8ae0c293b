"""Logs: structured lines on stderr, never a person's words."""

import logging
import sys

import structlog

from bot.cli.shown import on_terminal


def configure_logs(level: str) -> None:
    """Log from `level` on to stderr, for a person on a terminal and as JSON elsewhere."""
    before: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    watched = on_terminal(sys.stderr)
    rendered = structlog.dev.ConsoleRenderer() if watched else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, rendered],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
