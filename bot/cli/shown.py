"""How results are shown: JSON and CSV for programs, texts for people."""

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
"""What spreadsheets take for the beginning of a formula."""


def on_terminal(stream: TextIO | None) -> bool:
    """Tell whether a person watches `stream`; a closed one is None."""
    return stream is not None and stream.isatty()


def show_json(document: object) -> None:
    """Print `document` as one JSON document on stdout."""
    click.echo(msgspec.json.encode(document).decode())


def show_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print `rows` as CSV on stdout, below the names of their columns; None is an empty cell.

    A text that a spreadsheet would take for a formula gets an apostrophe in front. Characters that
    could steer a terminal or break the line are written out.
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
    """Print a line of text; a terminal breaks it between words, and each line is indented as it."""
    text = printable(line)
    if on_terminal(sys.stdout):
        indent = " " * (len(text) - len(text.lstrip()))
        text = fill(
            text, get_terminal_size().columns, subsequent_indent=indent, break_on_hyphens=False
        )
    click.echo(text)


def iso_or_none(instant: int | None) -> str | None:
    """Return `instant` in ISO 8601, and None for none."""
    return None if instant is None else iso(Instant(instant))


def counted(number: int, what: str) -> str:
    """Return how many there are of something, whose plural ends with an s."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Return `text` with what could steer a terminal, or break the line, written out."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
