"""Output of results: JSON and CSV for programs, text for people."""

import csv
import io
import sys
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size
from textwrap import fill
from typing import TextIO

import click
import msgspec

from ledger.instants import Instant, iso

FORMULA_BEGINNINGS = ("=", "+", "-", "@")
"""The characters with which formulas begin in spreadsheets."""


def on_terminal(stream: TextIO | None) -> bool:
    """Whether `stream` is a terminal; None stands for a closed one."""
    return stream is not None and stream.isatty()


def show_json(document: object) -> None:
    """Print `document` as one JSON document on stdout."""
    click.echo(msgspec.json.encode(document).decode())


def show_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print `rows` as CSV on stdout, below the names of their columns; None is an empty cell.

    A text that a spreadsheet would take for a formula is prefixed with an apostrophe. Control
    characters and line breaks are escaped.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_no_formula(value) for value in row] for row in rows)
    click.echo(text.getvalue(), nl=False)


def _no_formula(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA_BEGINNINGS) else text


def show_text(line: str) -> None:
    """Print a line of text; on a terminal it is wrapped between words, with hanging indentation."""
    text = printable(line)
    if on_terminal(sys.stdout):
        indent = " " * (len(text) - len(text.lstrip()))
        text = fill(
            text, get_terminal_size().columns, subsequent_indent=indent, break_on_hyphens=False
        )
    click.echo(text)


def iso_or_none(instant: int | None) -> str | None:
    """`instant` in ISO 8601; None stays None."""
    return None if instant is None else iso(Instant(instant))


def counted(number: int, what: str) -> str:
    """A count with its noun, which gets a plural s if needed."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """`text` with control characters and line breaks escaped."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
