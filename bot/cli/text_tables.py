"""Tables on standard output."""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from shutil import get_terminal_size

import click
from rich.cells import cell_len

from bot.cli.output import on_terminal, printable

_WIDE = 10_000
_GAP = 2
_LEAST_ROOM = 20


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print a table of `rows`, numbers right-aligned, or the sentence `empty` if there are none.

    On a terminal it is wrapped as in `table_lines`; in a pipe nothing is wrapped.
    """
    if not rows:
        click.echo(empty)
        return
    width = get_terminal_size().columns if on_terminal(sys.stdout) else _WIDE
    for line in table_lines(columns, rows, width, partial(click.style, bold=True)):
        click.echo(line)  # which strips styles in a pipe


def table_lines(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    width: int,
    heading: Callable[[str], str] = str,
) -> Iterator[str]:
    """Yield the lines of a table of `rows`, which must not be empty.

    Nothing is truncated. If the table is wider than `width`, its last column is wrapped; if that
    would leave too little room for the column, each cell gets its own line. Numbers are
    right-aligned. `heading` styles the line with the column names, unless all are empty.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(cell_len, each)) for each in zip(columns, *cells, strict=True)]
    room = width - sum(each + _GAP for each in widths[:-1])
    if room < min(widths[-1], _LEAST_ROOM):
        yield from _stacked(columns, cells, width)
        return
    widths[-1] = min(widths[-1], room)
    numeric = [
        any(isinstance(cell, int | float) for cell in column) for column in zip(*rows, strict=True)
    ]
    if any(columns):
        yield from map(heading, _row(columns, widths, numeric))
    for each in cells:
        yield from _row(each, widths, numeric)


def _row(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> Iterator[str]:
    """Yield the lines of a row, as many as its wrapped last cell has."""
    before = map(_padded, cells[:-1], widths, numeric)
    begin = "".join(each + " " * _GAP for each in before)
    for line in _wrapped(cells[-1], widths[-1]):
        yield (begin + _padded(line, widths[-1], numeric[-1])).rstrip()
        begin = " " * cell_len(begin)


def _padded(text: str, width: int, to_the_right: bool) -> str:  # noqa: FBT001 - by column
    padding = " " * (width - cell_len(text))
    return padding + text if to_the_right else text + padding


def _stacked(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Yield each cell on its own line after its column's name, with a blank line between rows."""
    for number, row in enumerate(cells):
        if number:
            yield ""
        for column, cell in zip(columns, row, strict=True):
            yield from _wrapped(f"{column}: {cell}" if column else cell, max(width, 2))


def _wrapped(text: str, width: int) -> Iterator[str]:
    if cell_len(text) <= width:
        yield text.rstrip()
        return
    from rich.console import Console  # noqa: PLC0415 - what fits does without
    from rich.text import Text  # noqa: PLC0415 - as above

    for line in Text(text).wrap(Console(), width, overflow="fold"):
        yield line.plain.rstrip()


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))
