"""Histories in CSV for the tests: rows, files, and the same in the wrong shape."""

import datetime as dt
from pathlib import Path

HEADER = "occurred_at,user,issue_id,kind,context"
FIRST = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


def row(number: int, **fields: str) -> str:
    """A good row, each number another one, but for what `fields` say."""
    cells = {
        "occurred_at": f"{FIRST + dt.timedelta(minutes=number):%Y-%m-%dT%H:%M:%SZ}",
        "user": f"u{number % 3}",
        "issue_id": f"AI-{number % 7}",
        "kind": ("query", "view", "mention")[number % 3],
        "context": f"said {number}",
    }
    return ",".join({**cells, **fields}.values())


def rows(count: int, start: int = 1) -> list[str]:
    """That many good rows."""
    return [row(number) for number in range(start, start + count)]


def text(*lines: str) -> str:
    """A file of these lines under the usual header."""
    return "\n".join([HEADER, *lines]) + "\n"


def history(*lines: str) -> bytes:
    """The same in the bytes that a file holds."""
    return text(*lines).encode()


def written(folder: Path, content: bytes, name: str = "history.csv") -> str:
    """The path of a new file of this content."""
    path = folder / name
    path.write_bytes(content)
    return str(path)
