"""Ordinals of equal contents in a history, in constant memory."""

import sqlite3
from collections.abc import Iterable

from ledger.intake.history import UnreadableHistoryError

COUNTED_IN_MEMORY = 100_000
"""Different contents whose ordinals are counted in memory, about 15 MB of them."""


class Ordinals:
    """Counts equal contents; older counts go to disk.

    It is fastest if contents begin with an instant: most histories are in that order, so that new
    contents sort after all those on disk and need no lookup.
    """

    def __init__(self) -> None:
        """Start without any content."""
        self._recent: dict[bytes, int] = {}
        self._first, self._last = b"\1", b""  # the first and last content on disk: none yet
        # An unnamed database is a temporary file that SQLite removes when it is closed.
        self._disk = sqlite3.connect("", isolation_level=None)
        self._disk.execute("PRAGMA synchronous=OFF")
        self._disk.execute("CREATE TABLE seen (content PRIMARY KEY, times) WITHOUT ROWID")
        self._disk.execute("BEGIN")

    def next(self, content: bytes) -> int:
        """Count this content, and return how many times it came before.

        Raises UnreadableHistoryError if the temporary folder is full.
        """
        times = self._recent.get(content)
        if times is None:
            times = self._on_disk(content) if self._first <= content <= self._last else 0
        self._recent[content] = times + 1
        if len(self._recent) == COUNTED_IN_MEMORY:
            self._spill()
        return times

    def next_of(self, contents: Iterable[bytes]) -> list[int]:
        """`next` for several contents, which may include equal ones."""
        return list(map(self.next, contents))

    def close(self) -> None:
        """Drop the counts."""
        self._disk.close()

    def _on_disk(self, content: bytes) -> int:
        query = "SELECT times FROM seen WHERE content = ?"
        row = self._disk.execute(query, (content,)).fetchone()
        return row[0] if row else 0

    def _spill(self) -> None:
        rows = sorted(self._recent.items())
        try:
            self._disk.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            message = f"cannot count equal entries in the temporary folder: {error}"
            raise UnreadableHistoryError(message) from error
        first, last = rows[0][0], rows[-1][0]
        is_first = not self._last
        self._first = first if is_first else min(first, self._first)
        self._last = max(last, self._last)
        self._recent.clear()
