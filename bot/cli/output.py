"""How results are shown: JSON and CSV for programs, texts for people, files that were asked for."""

import csv
import io
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import NamedTuple, TextIO

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


# Writing of output files.

PRIVATE = 0o600
"""The mode of a new file: reports and charts name people."""


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader never finds a partial file at `path`.

    Only the owner can read a new file; a replaced one keeps its mode. A pipe or a terminal at
    `path` is written to directly.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    target = path.resolve()  # write through a symbolic link
    draft = target.with_name(f"{target.name}.{os.getpid()}.part")  # unique
    try:
        draft.unlink(missing_ok=True)
        draft.touch(PRIVATE, exist_ok=False)
        draft.write_bytes(content)
        if target.exists():
            draft.chmod(target.stat().st_mode)
        draft.replace(target)
    except OSError as error:
        error.filename = str(path)  # the user did not name the draft
        raise
    finally:
        draft.unlink(missing_ok=True)


# Results of the doctor's checks.

OK, NOTE, BAD = "ok", "note", "bad"


class DoctorFinding(NamedTuple):
    """The result of one check: ok, a note, or bad."""

    check: str
    state: str
    detail: str
