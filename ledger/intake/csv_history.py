"""Histories in CSV: one interaction a row, read as a stream.

Columns: occurred_at, user (or user_id), issue_id, kind (or interaction_type), context; and, where
they are there, key and linear_id. UTF-8, plain or gzipped.
"""

import csv
import datetime as dt
import gzip
import hashlib
import io
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

import msgspec

from ledger.errors import InvalidInteractionError
from ledger.intake.history import Entry, Refusal, UnreadableHistoryError
from ledger.interaction import Interaction, interaction_of
from ledger.source_keys import SourceKey

_OTHER_NAMES = {"user": "user_id", "interaction_type": "kind"}
_REQUIRED = ("occurred_at", "user_id", "issue_id", "kind", "context")
_OPTIONAL = ("key", "linear_id")
_GZIP_BEGINS = b"\x1f"
_CONTENT_BYTES = 16

LINE_LIMIT = 2_097_152
"""Characters; no row that could be recorded comes near it."""

COUNTED_IN_MEMORY = 100_000
"""Different rows whose ordinals are counted in memory, about 15 MB of them."""


def read_csv(stream: io.BufferedReader, name: str) -> Iterator[Entry | Refusal]:
    """Yield an entry or a refusal for each row of `stream`, in constant memory.

    A row without a key is known by its content and its ordinal among equal rows, so that reading a
    file again adds nothing, and two truly equal rows are two. `name` is what the origin calls the
    source. Raises UnreadableHistoryError where the file cannot be read on.
    """
    text = _text(stream)
    columns = None
    try:
        with closing(_Ordinals()) as ordinals:
            for line, row in _rows(text):
                if isinstance(row, str):
                    yield Refusal(f"line {line}", row)
                elif columns is None:
                    columns = _columns(row)
                else:
                    yield _entry(row, columns, ordinals, (name, line))
    finally:
        with suppress(ValueError):  # where the caller has closed it already
            text.detach()  # the stream stays open: it is the caller's
    if columns is None:
        raise UnreadableHistoryError("line 1: there is no header")


def _text(stream: io.BufferedReader) -> io.TextIOWrapper:
    # One byte is all that a slow pipe promises, and enough: no text begins with this one.
    gzipped = stream.peek(1)[:1] == _GZIP_BEGINS
    plain = gzip.GzipFile(fileobj=stream) if gzipped else stream
    # Bytes that are no UTF-8 become lone surrogates, by which the row that holds them is refused.
    return io.TextIOWrapper(plain, "utf-8-sig", errors="surrogateescape", newline="")


def _rows(text: io.TextIOWrapper) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each row, or the reason why it is none, with the line on which it begins."""
    lines = _Lines(text)
    reader = csv.reader(lines, strict=True)
    while True:
        line = lines.read + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield line, f"is no CSV: {error}"
            continue
        except (EOFError, OSError, zlib.error) as error:
            reason = "the file is truncated" if isinstance(error, EOFError) else str(error)
            raise UnreadableHistoryError(f"line {line}: cannot be read on: {reason}") from error
        if row is None:
            return
        if row:
            yield line, row


class _Lines(Iterator[str]):
    """The lines of a file; one that is too long to hold in memory is passed over, with an error."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.read = 0
        self._text = text

    def __next__(self) -> str:
        line = self._text.readline(LINE_LIMIT)
        if not line:
            raise StopIteration
        self.read += 1
        if len(line) == LINE_LIMIT and not line.endswith("\n"):
            while (rest := self._text.readline(LINE_LIMIT)) and not rest.endswith("\n"):
                pass
            message = f"it is longer than {LINE_LIMIT:,} characters"
            raise csv.Error(message)
        return line


def _columns(header: Sequence[str]) -> dict[str, int]:
    names = [_OTHER_NAMES.get(name.strip(), name.strip()) for name in header]
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        reason = f"line 1: the header has no column {', '.join(missing)}"
        if "\0" in "".join(header) or "\udcff" in header[0]:
            reason = "line 1: the file is not in UTF-8"
        raise UnreadableHistoryError(reason)
    twice = sorted({name for name in names if names.count(name) > 1} & {*_REQUIRED, *_OPTIONAL})
    if twice:
        raise UnreadableHistoryError(f"line 1: the header has {', '.join(twice)} twice")
    columns = {name: names.index(name) for name in (*_REQUIRED, *_OPTIONAL) if name in names}
    return columns | {"": len(names)}


def _entry(
    row: Sequence[str], columns: dict[str, int], ordinals: "_Ordinals", place: tuple[str, int]
) -> Entry | Refusal:
    name, line = place
    where = f"line {line}"
    if len(row) != columns[""]:
        return Refusal(where, f"has {len(row)} fields where the header has {columns['']}")
    try:
        interaction = _interaction(row, columns)
        key = _cell(row, columns, "key")
        if key is None:
            source_key = _content_key(interaction, ordinals, f"{name}:{line}")
        else:
            source_key = SourceKey(key)
    except InvalidInteractionError as error:
        return Refusal(where, str(error))
    return Entry(where, msgspec.structs.replace(interaction, source_key=source_key))


def _interaction(row: Sequence[str], columns: dict[str, int]) -> Interaction:
    for text in row:
        if not text.isascii() and _is_not_utf8(text):
            raise InvalidInteractionError("row", "is not in UTF-8")
    return interaction_of(
        row[columns["user_id"]],
        row[columns["issue_id"]],
        row[columns["kind"]],
        occurred_at=_moment(row[columns["occurred_at"]]),
        context=row[columns["context"]],
        linear_id=_cell(row, columns, "linear_id"),
    )


def _is_not_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        reason = f"{text[:40]!r} is no ISO 8601 instant"
        raise InvalidInteractionError("occurred_at", reason) from None


def _cell(row: Sequence[str], columns: dict[str, int], name: str) -> str | None:
    index = columns.get(name)
    return None if index is None else row[index] or None


def _content_key(interaction: Interaction, ordinals: "_Ordinals", label: str) -> SourceKey:
    at = interaction.occurred_at
    facts = (at, interaction.user_id, interaction.issue_id, interaction.kind, interaction.context)
    content = hashlib.blake2b(msgspec.json.encode(facts), digest_size=_CONTENT_BYTES).digest()
    return SourceKey(f"csv:{content.hex()}:{ordinals.next(content)}", at, label)


class _Ordinals:
    """Counts equal rows; older counts go to disk, so memory does not grow with the file."""

    def __init__(self) -> None:
        self._recent: dict[bytes, int] = {}
        self._spilled = False
        # An unnamed database is SQLite's own temporary file, gone when it is closed.
        self._disk = sqlite3.connect("", isolation_level=None)
        self._disk.execute("PRAGMA synchronous=OFF")
        self._disk.execute("CREATE TABLE seen (content PRIMARY KEY, times) WITHOUT ROWID")
        self._disk.execute("BEGIN")

    def next(self, content: bytes) -> int:
        """Return how many rows of this content came before."""
        times = self._recent.get(content)
        if times is None:
            times = self._on_disk(content) if self._spilled else 0
        self._recent[content] = times + 1
        if len(self._recent) == COUNTED_IN_MEMORY:
            self._spill()
        return times

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
            message = f"cannot count equal rows in the temporary folder: {error}"
            raise UnreadableHistoryError(message) from error
        self._recent.clear()
        self._spilled = True
