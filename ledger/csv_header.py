"""Headers of CSV files: the separator, and the place of each column."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from ledger.errors import LedgerError

SEPARATORS = ",;\t|"
"""Possible separators; the first one is the default."""

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t|]*\r?\n?', re.IGNORECASE)


class InvalidHeaderError(LedgerError, ValueError):
    """A header without a required column."""


class Names(NamedTuple):
    """The columns that a kind of file may have, and their other names.

    `usual` columns, like `optional` ones, may be missing; but if a header has all required and all
    usual ones under their exact names, all its names are taken literally.
    """

    required: tuple[str, ...]
    usual: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    other_names: Mapping[str, str] = {}

    @property
    def known(self) -> tuple[str, ...]:
        """All columns that are read."""
        return self.required + self.usual + self.optional


class Beginning(NamedTuple):
    """The beginning of a file: separator, number of lines before the header, and other lines."""

    separator: str
    lines_before: int
    lines: Iterator[str]


def beginning_of(lines: Iterator[str], is_known: Callable[[str], bool]) -> Beginning:
    """Find the separator and the header; empty lines may come first.

    A first line such as `sep=;`, which spreadsheets write, names the separator; else it is the one
    that yields most known columns. Raises InvalidHeaderError if `sep=` names none of SEPARATORS.
    """
    before, line = _first(lines, 0)
    named = _named(line)
    if named is not None:
        before, line = _first(lines, before + 1)
    return Beginning(named or _found(line, is_known), before, chain((line,), lines))


def _first(lines: Iterator[str], before: int) -> tuple[int, str]:
    """The first line that is not empty, and the number of lines before it."""
    return next(
        ((number, line) for number, line in enumerate(lines, before) if line.strip("\r\n")),
        (before, ""),
    )


def _named(line: str) -> str | None:
    match = _SEPARATOR_LINE.fullmatch(line)
    if match is None:
        return None
    if match[1] not in SEPARATORS:
        message = "sep= must name a comma, semicolon, tab or bar"
        raise InvalidHeaderError(message)
    return match[1]


def _found(line: str, is_known: Callable[[str], bool]) -> str:
    def known_with(separator: str) -> int:
        fields = next(csv.reader([line], delimiter=separator), [])
        return sum(is_known(folded(field)) for field in fields)

    return max(SEPARATORS, key=known_with)


def folded(name: str) -> str:
    """Normalize a column's name, ignoring case, blanks and hyphens."""
    return "_".join(name.lower().replace("-", " ").replace("_", " ").split())


def columns_of(header: Sequence[str], names: Names) -> dict[str, int]:
    """Return the place of each known column.

    Names are folded unless they are taken literally. Raises InvalidHeaderError if a required column
    is missing, or a known one occurs twice.
    """
    written = [_usual(name.strip(), names) for name in header]
    if not {*names.required, *names.usual} <= set(written):
        written = [_usual(folded(name), names) for name in header]
    missing = [name for name in names.required if name not in written]
    if missing:
        message = f"the header has no column {', '.join(missing)}"
        raise InvalidHeaderError(message)
    twice = sorted(name for name in names.known if written.count(name) > 1)
    if twice:
        message = f"the header has {', '.join(twice)} twice"
        raise InvalidHeaderError(message)
    return {name: written.index(name) for name in names.known if name in written}


def _usual(name: str, names: Names) -> str:
    return names.other_names.get(name, name)
