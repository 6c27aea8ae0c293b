"""Extras: libraries that only some need, and what is said where one is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ledger.errors import LedgerError


class Extra(NamedTuple):
    """An optional dependency: what needs it, the library, and the module that it is imported as."""

    needed_by: str
    library: str
    module: str


EXTRAS = {
    "telegram": Extra("the bot needs", "python-telegram-bot", "telegram"),
    "webhook": Extra("a webhook needs", "tornado", "tornado"),
    "charts": Extra("charts need", "matplotlib", "matplotlib"),
    "reports": Extra("reports need", "Jinja2", "jinja2"),
    "independent": Extra("an independent check needs", "duckdb", "duckdb"),
}
"""By the names that pyproject.toml gives them."""


class MissingExtraError(LedgerError, ImportError):
    """An extra is not installed; the message names it, its library and how to install it."""


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Name the extra `name` if the imports of the block miss its library."""
    needed_by, library, module = EXTRAS[name]
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module:
            raise
        message = f"{needed_by} {library}: pip install 'engagement-ledger[{name}]'"
        raise MissingExtraError(message) from None
