"""Optional dependencies (extras), and the error for a missing one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ledger.errors import LedgerError


class Extra(NamedTuple):
    """An optional dependency: the feature that needs it, the library, and the module it is imported
    as.
    """

    needed_by: str
    library: str
    module: str


EXTRAS = {
    "telegram": Extra("the bot needs", "python-telegram-bot", "telegram"),
    "webhook": Extra("a webhook needs", "tornado", "tornado"),
    "linear": Extra("asking Linear needs", "httpx", "httpx"),
    "linear-demo": Extra(
        "a local Linear, or a check of its schema, needs", "graphql-core", "graphql"
    ),
    "charts": Extra("charts need", "matplotlib", "matplotlib"),
    "reports": Extra("reports need", "Jinja2", "jinja2"),
    "independent": Extra("an independent check needs", "duckdb", "duckdb"),
}
"""The extras by their names in pyproject.toml."""


class MissingExtraError(LedgerError, ImportError):
    """An extra is not installed; the message names it, its library and how to install it."""


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Raise MissingExtraError for the extra `name` if imports in the block fail to find its
    library.
    """
    needed_by, library, module = EXTRAS[name]
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module:
            raise
        message = f"{needed_by} {library}: pip install 'engagement-ledger[{name}]'"
        raise MissingExtraError(message) from None
