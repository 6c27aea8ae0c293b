"""Progress bars on a terminal."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from bot.cli.output import printable

Update = Callable[[int, int], object]


class RateColumn(ProgressColumn):
    """A column with the items done, and items per second."""

    def render(self, task: Task) -> Text:
        """Format both with the task's unit."""
        items, seconds = task.fields["items"], task.elapsed or 0.0
        rate = f", {items / seconds:,.0f}/s" if seconds else ""
        return Text(f"{items:,} {task.fields['unit']}{rate}")


SHOWN_EVERY = 1_000
"""The number of items between two updates of a progress bar."""


@contextmanager
def counting(what: str, unit: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that advances the bar by a number of items of `unit`."""
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

    It takes how much of `total` is done, and the corresponding number of items of `unit`.
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
