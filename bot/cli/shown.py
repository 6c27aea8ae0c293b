"""How results are shown: JSON for programs, tables for people, progress on a terminal."""

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill
from typing import TextIO

import click
import msgspec
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ledger.instants import Instant, iso

FORMULA_BEGINNINGS = ("=", "+", "-", "@")
"""What spreadsheets take for the beginning of a formula."""

_WIDE = 10_000
_GAP = 2
_LEAST_ROOM = 20

Update = Callable[[int, int], object]


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
        width = Console().width
        text = fill(text, width, subsequent_indent=indent, break_on_hyphens=False)
    click.echo(text)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print a table of `rows`, numbers to the right, or the sentence `empty` for none.

    A terminal wraps it as `table_lines` says; in a pipe nothing is wrapped.
    """
    if not rows:
        click.echo(empty)
        return
    width = Console().width if on_terminal(sys.stdout) else _WIDE
    for line in table_lines(columns, rows, width):
        click.echo(line)


def table_lines(
    columns: Sequence[str], rows: Sequence[Sequence[object]], width: int
) -> Iterator[str]:
    """Return the lines of a table of `rows`, of which there is one at least.

    Nothing is cut. Where the table is wider than `width`, its last column is wrapped; where that
    would leave the column next to no room, each cell gets a line of its own.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(cell_len, each)) for each in zip(columns, *cells, strict=True)]
    room = width - sum(each + _GAP for each in widths[:-1])
    if room < min(widths[-1], _LEAST_ROOM):
        return _stacked(columns, cells, width)
    table = Table(box=None, header_style="bold", pad_edge=False, show_header=any(columns))
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], int | float) for row in rows)
        justify: JustifyMethod = "right" if numeric else "left"
        last = index == len(columns) - 1
        table.add_column(column, justify=justify, overflow="fold", no_wrap=not last)
    for each in cells:
        table.add_row(*map(Text, each))
    console = Console(file=sys.stdout or io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(table)
    return map(str.rstrip, captured.get().splitlines())


def _stacked(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Yield the cells one below the other, each after its column's name, and a gap between rows."""
    console = Console(file=io.StringIO())
    for number, row in enumerate(cells):
        if number:
            yield ""
        for column, cell in zip(columns, row, strict=True):
            text = Text(f"{column}: {cell}" if column else cell)
            for line in text.wrap(console, max(width, 2), overflow="fold"):
                yield line.plain.rstrip()


def iso_or_none(instant: int | None) -> str | None:
    """Return `instant` in ISO 8601, and None for none."""
    return None if instant is None else iso(Instant(instant))


def counted(number: int, what: str) -> str:
    """Return how many there are of something, whose plural ends with an s."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Return `text` with what could steer a terminal, or break the line, written out."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))


class RateColumn(ProgressColumn):
    """How many items were done, and how many a second."""

    def render(self, task: Task) -> Text:
        """Return both, in words of the task's unit."""
        items, seconds = task.fields["items"], task.elapsed or 0.0
        rate = f", {items / seconds:,.0f}/s" if seconds else ""
        return Text(f"{items:,} {task.fields['unit']}{rate}")


SHOWN_EVERY = 1_000
"""Items between two movements of a bar that is told of each."""


@contextmanager
def counting(what: str, unit: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes how many more items of `unit` are done, and moves the bar."""
    done = 0
    with progress(what, unit, total) as update:

        def advance(count: int) -> None:
            nonlocal done
            if done // SHOWN_EVERY != (done + count) // SHOWN_EVERY:
                update(done + count, done + count)
            done += count

        yield advance


@contextmanager
def progress(what: str, unit: str, total: int | None) -> Iterator[Update]:
    """Yield a function that moves a progress bar on stderr; in a pipe nothing is shown.

    It takes how much of `total` is done, and how many items of `unit` that was.
    """
    console = Console(file=sys.stderr or io.StringIO())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        task = bar.add_task(printable(what), total=total, items=0, unit=unit)
        yield lambda done, items: bar.update(task, completed=done, items=items)
