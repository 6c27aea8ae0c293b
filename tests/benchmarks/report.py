"""The report: one row for each aim, as a table to read and as JSON to keep."""

import json
import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

WIDTH = 160
"""The width that the table needs, even if the terminal is narrower."""

CAPTION = """Medians of rounds in which ours and the peer take turns; the ratio is that of a round.
stock: the eventsourcing package as it comes. tests/benchmarks says what a peer does."""

_NUMBERS = ("ours", "peer", "ratio")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure against its aims; a ratio should reach them, a limit should stay below them.

    `ours` and `peer` are medians of the rounds; `figure` is the median of the rounds' ratios, or
    what is limited. `aims` come in the order in which they are to be met.
    """

    work: str
    unit: str
    ours: float
    peer: float | None
    peer_name: str
    figure: float
    aims: tuple[float, ...]
    is_limit: bool
    samples: dict[str, list[float]] = {}
    doubt: str = ""
    """Why this run cannot tell whether the aims are met, if so."""

    @property
    def met(self) -> int:
        """How many of the aims are met."""
        reached = self.figure.__le__ if self.is_limit else self.figure.__ge__
        return sum(bool(reached(aim)) for aim in self.aims)


def ratio(
    work: str,
    unit: str,
    ours: Sequence[float],
    peer: Sequence[float],
    peer_name: str,
    *aims: float,
) -> Row:
    """Return the row of ours to the peer's, taken round by round: above 1 ours is better."""
    return Row(
        work=work,
        unit=unit,
        ours=median(ours),
        peer=median(peer),
        peer_name=peer_name,
        figure=median(mine / theirs for mine, theirs in zip(ours, peer, strict=True)),
        aims=aims,
        is_limit=False,
        samples={"ours": list(ours), "peer": list(peer)},
    )


def at_most(
    work: str,
    unit: str,
    ours: Sequence[float],
    peer: Sequence[float],
    peer_name: str,
    *aims: float,
) -> Row:
    """Return the row of what ours costs to what the peer does: below 1 ours is better."""
    return msgspec.structs.replace(ratio(work, unit, ours, peer, peer_name, *aims), is_limit=True)


def limit(
    work: str, unit: str, ours: float, *most: float, peer: float | None = None, peer_name: str = ""
) -> Row:
    """Return the row of a figure that should be at most `most`; without any, it is only told."""
    return Row(
        work=work,
        unit=unit,
        ours=ours,
        peer=peer,
        peer_name=peer_name,
        figure=ours,
        aims=most,
        is_limit=True,
    )


def machine() -> dict[str, Any]:
    """Return on what the figures were measured."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "sqlalchemy": version("SQLAlchemy"),
        "eventsourcing": version("eventsourcing"),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }


def show(rows: Sequence[Row], facts: dict[str, Any]) -> None:
    """Print the rows as a table, and the machine's facts below it."""
    table = Table(box=SIMPLE_HEAD, caption=CAPTION, caption_justify="left")
    for name in ("work", "ours", "peer", "", "ratio", "aim", "met"):
        table.add_column(name, no_wrap=True, justify="right" if name in _NUMBERS else "left")
    for row in rows:
        table.add_row(*_cells(row))
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(table)
    console.print(", ".join(f"{name} {fact}" for name, fact in facts.items()), soft_wrap=True)


def write(rows: Sequence[Row], facts: dict[str, Any], path: Path) -> None:
    """Write the rows, with each round's samples, and the machine's facts."""
    shown = [msgspec.structs.asdict(row) | {"met": row.met} for row in rows]
    document = {"machine": facts, "rows": shown}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    sign = "≤" if row.is_limit else "≥"
    return (
        row.work,
        f"{_figure(row.ours)} {row.unit}",
        "" if row.peer is None else f"{_figure(row.peer)} {row.unit}",
        row.peer_name,
        _figure(row.figure) if row.samples else "",
        ", ".join(f"{sign} {aim:g}" for aim in row.aims),
        _met(row),
    )


def _met(row: Row) -> str:
    if not row.aims:
        return ""
    if row.doubt:
        return row.doubt
    return f"{row.met} of {len(row.aims)}" if len(row.aims) > 1 else ("no", "yes")[row.met]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
