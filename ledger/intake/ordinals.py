"""Counting what is equal in a history, without the memory growing with it."""

import sqlite3
from collections.abc import Iterable

from ledger.intake.history import UnreadableHistoryError

COUNTED_IN_MEMORY = 100_000
"""Different contents whose ordinals are counted in memory, about 15 MB of them."""


class Ordinals:
    """Counts equal contents; older counts go to disk.

    It is fastest where contents begin with an instant: those of most histories come in its order,
    so that what is new lies beyond all that is on the disk, and is not looked for there.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._recent: dict[bytes, int] = {}
        self._first, self._last = b"\1", b""  # on the disk, where there is nothing yet
        # An unnamed database is SQLite's own temporary file, gone when it is closed.
        self._disk = sqlite3.connect("", isolation_level=None)
        self._disk.execute("PRAGMA synchronous=OFF")
        self._disk.execute("CREATE TABLE seen (content PRIMARY KEY, times) WITHOUT ROWID")
        self._disk.execute("BEGIN")

    def next(self, content: bytes) -> int:
        """Return how many times this content came before.

        Raises UnreadableHistoryError where the temporary folder has no room.
        """
        times = self._recent.get(content)
        if times is None:
            times = self._on_disk(content) if self._first <= content <= self._last else 0
        self._recent[content] = times + 1
        if len(self._recent) == COUNTED_IN_MEMORY:
            self._spill()
        return times

    def next_of(self, contents: Iterable[bytes]) -> list[int]:
        """Return how many times each of these contents came before, also among them."""
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
