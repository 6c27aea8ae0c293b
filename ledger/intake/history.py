"""Histories: entries recorded in batches, and refusals reported one by one."""

import gzip
import io
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ledger.commands import Interaction
from ledger.entries import Entry, ImportReport, Refusal
from ledger.errors import LedgerError, OptedOutError, UnreadableHistoryError

if TYPE_CHECKING:
    from ledger.store.append import Outcome


# Files of histories: plain or gzipped, from a disk or a pipe.

_GZIP_BEGINS = b"\x1f"

READING_FAILS = (EOFError, OSError, zlib.error)
"""Exceptions that reading an open file can raise."""


def unpacked(stream: io.BufferedReader) -> io.BufferedReader | gzip.GzipFile:
    """Return `stream`, decompressed if its contents are gzipped, regardless of its name."""
    # A slow pipe may deliver a single byte, which is enough: no text begins with this one.
    return gzip.GzipFile(fileobj=stream) if stream.peek(1)[:1] == _GZIP_BEGINS else stream


def reason_unreadable(error: Exception) -> str:
    """The reason why a file became unreadable, given one of READING_FAILS."""
    return "the file is truncated" if isinstance(error, EOFError) else str(error)


# Recording: one transaction per batch of entries, one refusal per bad entry.

BATCH = 2_000
"""Entries per transaction: enough to share its cost, few enough not to keep others waiting."""


class Recorder(Protocol):
    """The target of a history: the ledger, or a preview of it."""

    def record_bulk(self, interactions: Sequence[Interaction], /) -> Mapping[int, "Outcome"]:
        """Record in one transaction; return by number the outcomes of those not surely counted."""

    def name_users(self, names: Mapping[str, str]) -> None:
        """Store the names of users who have an account."""


def record_history(
    recorder: Recorder,
    entries: Iterable[Entry | Refusal],
    report: ImportReport,
    on_refusal: Callable[[Refusal], object],
    on_batch: Callable[[], object],
) -> None:
    """Record all valid `entries`, and count the outcomes in `report`.

    Each batch is recorded atomically, and `on_batch` is called once it is durable. Only users with
    recorded interactions get their names. Raises what `entries` and `recorder`
    raise; `report` then says what was recorded before.
    """
    source = iter(entries)
    failure: UnreadableHistoryError | None = None
    while failure is None:
        batch, failure = _batch(source)
        if not batch:
            break
        _record_batch(recorder, batch, report, on_refusal)
        on_batch()
    if failure is not None:
        raise failure


def _batch(
    source: Iterator[Entry | Refusal],
) -> tuple[list[Entry | Refusal], UnreadableHistoryError | None]:
    batch: list[Entry | Refusal] = []
    room = BATCH
    try:
        for entry in source:
            batch.append(entry)
            room -= max(1, len(entry.interactions)) if isinstance(entry, Entry) else 1
            if room <= 0:
                break
    except UnreadableHistoryError as failure:
        return batch, failure
    return batch, None


def _record_batch(
    recorder: Recorder,
    batch: list[Entry | Refusal],
    report: ImportReport,
    on_refusal: Callable[[Refusal], object],
) -> None:
    wanted = [each for entry in batch if isinstance(entry, Entry) for each in entry.interactions]
    outcomes = recorder.record_bulk(wanted) if wanted else {}
    report.read += len(batch)
    report.recorded += len(wanted) - len(outcomes)
    names: dict[str, str] = {}
    number = 0
    for entry in batch:
        if isinstance(entry, Refusal):
            report.refused += 1
            on_refusal(entry)
            continue
        report.left_out += len(entry.left_out)
        if entry.interactions:
            names.update(entry.names)
        for interaction in entry.interactions:
            outcome = outcomes.get(number)
            number += 1
            if outcome is None:
                continue
            _count(outcome, entry.place, report, on_refusal)
            if isinstance(outcome, LedgerError):
                names.pop(interaction.user_id, None)
    if names:
        recorder.name_users(names)


def _count(
    outcome: "Outcome",
    place: str,
    report: ImportReport,
    on_refusal: Callable[[Refusal], object],
) -> None:
    match outcome:
        case OptedOutError():
            report.opted_out += 1
        case LedgerError():
            report.refused += 1
            on_refusal(Refusal(place, str(outcome)))
        case receipt if receipt.counted:
            report.recorded += 1
        case _:
            report.duplicates += 1


# Ordinals of equal contents in a history, in constant memory.

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
        return next((times for (times,) in self._disk.execute(query, (content,))), 0)

    def _spill(self) -> None:
        rows = sorted(self._recent.items())
        try:
            self._disk.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            message = f"cannot count equal entries in the temporary folder: {error}"
            raise UnreadableHistoryError(message) from error
        first, last = min(self._recent), max(self._recent)
        is_first = not self._last
        self._first = first if is_first else min(first, self._first)
        self._last = max(last, self._last)
        self._recent.clear()
