"""Histories in CSV: one interaction a row, read as a stream.

`ledger.csv_format` names the columns. The file is UTF-8, plain or gzipped; the header shows the
separator.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import repeat
from operator import add
from typing import TypeGuard

from msgspec.structs import replace

from ledger.commands import Interaction
from ledger.csv_format import (
    COLUMNS,
    NAMES,
    InvalidHeaderError,
    beginning_of,
    cell,
    columns_of,
    contents_of,
    former_content_of,
    interaction_of_row,
    plain_interactions,
    tracker_of,
)
from ledger.entries import Entry, Refusal
from ledger.errors import InvalidInteractionError, UnreadableHistoryError
from ledger.idempotency import SourceKey
from ledger.instants import Instant
from ledger.intake.history import READING_FAILS, Ordinals, reason_unreadable, unpacked

ROW_LIMIT = 2_097_152
"""Characters of a row, including ignored columns; longer rows are skipped."""

BLOCK = 200_000
"""Characters of the rows that are checked together, column by column."""

_OTHER_FORMATS = {
    "{": "it is JSON; `engagement import telegram` reads an export from Telegram Desktop",
    "[": "it is JSON; `engagement import telegram` reads an export from Telegram Desktop",
    "<": "it is HTML or XML; of a chat in Telegram, export machine-readable JSON",
    "PK\x03\x04": "it is a zip archive or a spreadsheet; unpack it, or save the sheet as CSV",
}
"""How files of other formats begin, and what to do with them."""

_Numbered = tuple[int, list[str] | str]
"""A row, or the reason why it is invalid, and the line on which it begins."""

_INSTANT_BYTES = 8
_LINE_ENDS = ("\n", "\r")
_KNOWN = {*NAMES.known, *NAMES.other_names, *COLUMNS}


def read_csv(stream: io.BufferedReader, name: str) -> Iterator[Entry | Refusal]:
    """Yield an entry or a refusal for each row of `stream`, in constant memory.

    A row without a key is identified by its content and its ordinal among equal rows, so that
    reading a file again adds nothing, and two equal rows count as two. `name` is the name of the
    source in origins. Raises UnreadableHistoryError where the file becomes unreadable.
    """
    text = _text(stream)
    table = None
    try:
        with closing(Ordinals()) as ordinals:
            lines = _Lines(text)
            rows = _rows(lines)
            for line, row in rows:
                if isinstance(row, list):
                    table = _Table(row, line, name, ordinals)
                    break
                yield Refusal(f"line {line}", row)
            if table is None:
                raise UnreadableHistoryError("line 1: there is no header")
            for block in _blocks(rows, lines):
                yield from table.entries(block)
    finally:
        with suppress(ValueError):  # if the caller has closed it already
            text.detach()  # the stream stays open: it is the caller's


def _text(stream: io.BufferedReader) -> io.TextIOWrapper:
    # Bytes that are no UTF-8 become lone surrogates, by which the row that holds them is refused.
    return io.TextIOWrapper(unpacked(stream), "utf-8-sig", errors="surrogateescape", newline="")


def _blocks(rows: Iterator[_Numbered], lines: "_Lines") -> Iterator[list[_Numbered]]:
    """Yield the rows as lists, each of BLOCK characters or a little more."""
    block: list[_Numbered] = []
    room = BLOCK
    try:
        for row in rows:
            block.append(row)
            room -= ROW_LIMIT - lines.room
            if room <= 0:
                yield block
                block, room = [], BLOCK
    except UnreadableHistoryError:
        yield block
        raise
    yield block


def _rows(lines: "_Lines") -> Iterator[_Numbered]:
    """Yield each row, or the reason why it is invalid, with the line on which it begins."""
    # Rows are bounded here as a whole. The limit of the process for one field is never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), ROW_LIMIT))
    reader = None
    while True:
        line = lines.read + 1
        try:
            lines.room, lines.quotes = ROW_LIMIT, 0
            if reader is None:
                reader, before = _reader(lines)
                line = before + 1
            row = next(reader, None)
        except csv.Error as error:
            yield line, f"is not CSV: {error}"
            continue
        except InvalidHeaderError as error:
            raise UnreadableHistoryError(f"line {lines.read}: {error}") from error
        except READING_FAILS as error:
            reason = reason_unreadable(error)
            raise UnreadableHistoryError(
                f"line {line}: cannot be read further: {reason}"
            ) from error
        if row is None:
            return
        if row:
            yield line, row


def _reader(lines: "_Lines") -> tuple[Iterator[list[str]], int]:
    separator, before, rest = beginning_of(lines, _KNOWN.__contains__)
    return csv.reader(rest, strict=True, delimiter=separator), before


class _Lines(Iterator[str]):
    """The lines of a file; the rest of a row that is too long is skipped.

    `room` is the number of characters that the current row may still get, `quotes` that of its
    quotes.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.read = 0
        self._text = text
        self.room = ROW_LIMIT
        self.quotes = 0

    def __next__(self) -> str:
        line = self._text.readline(ROW_LIMIT)
        if not line:
            raise StopIteration
        self.read += 1
        if self.read == 1:
            _refuse_other_formats(line)
        self.room -= len(line)
        self.quotes += line.count('"')
        if self.room <= 0:
            self._pass_over(line)
        return line

    def _pass_over(self, line: str) -> None:
        """Read to the end of the row, where every quote is closed."""
        while line and (self.quotes % 2 or not line.endswith(_LINE_ENDS)):
            self.read += line.endswith(_LINE_ENDS)
            line = self._text.readline(ROW_LIMIT)
            self.quotes += line.count('"')
        message = f"the row is longer than {ROW_LIMIT:,} characters"
        raise csv.Error(message)


class _Table:
    """The rows below a header, and their conversion to entries."""

    def __init__(self, header: Sequence[str], line: int, name: str, ordinals: Ordinals) -> None:
        self._width = len(header)
        self._name = name
        self._ordinals = ordinals
        try:
            self._columns = columns_of(header, NAMES)
        except InvalidHeaderError as error:
            raise UnreadableHistoryError(f"line {line}: {_explained(header, error)}") from error

    def entries(self, block: Sequence[_Numbered]) -> Iterator[Entry | Refusal]:
        """Yield an entry or a refusal for each row; rows that are not plain are handled alone."""
        for (line, row), interaction in zip(block, self._plain(block), strict=True):
            if interaction is None:
                yield self._entry(line, row)
            else:
                yield Entry(f"line {line}", (interaction,))

    def _plain(self, block: Sequence[_Numbered]) -> list[Interaction | None]:
        none = [""] * self._width
        rows = [row if self._is_whole(row) else none for _, row in block]
        found = plain_interactions(rows, self._columns)
        plain = [(line, each) for (line, _), each in zip(block, found, strict=True) if each]
        keyed = self._keyed(plain, repeat(None))
        return [None if each is None else next(keyed) for each in found]

    def _is_whole(self, row: list[str] | str) -> TypeGuard[list[str]]:
        return isinstance(row, list) and len(row) == self._width

    def _entry(self, line: int, row: list[str] | str) -> Entry | Refusal:
        where = f"line {line}"
        if isinstance(row, str):
            return Refusal(where, row)
        if not self._is_whole(row):
            return Refusal(where, f"has {len(row)} fields where the header has {self._width}")
        try:
            interaction = interaction_of_row(row, self._columns)
            key = cell(row, self._columns, "key")
            if key is not None:
                return Entry(where, (replace(interaction, source_key=SourceKey(key)),))
        except InvalidInteractionError as error:
            return Refusal(where, str(error))
        former = former_content_of(interaction, row, self._columns)
        return Entry(where, tuple(self._keyed([(line, interaction)], [former])))

    def _keyed(
        self, numbered: Sequence[tuple[int, Interaction]], formers: Iterable[bytes | None]
    ) -> Iterator[Interaction]:
        """Yield the interactions of rows with keys made of their contents."""
        interactions = [each for _, each in numbered]
        contents = contents_of(interactions)
        instants = [each.occurred_at or Instant(0) for each in interactions]
        marks = [at.to_bytes(_INSTANT_BYTES, "big") for at in instants]
        ordinals = self._ordinals.next_of(map(add, marks, contents))
        texts = map(_key, contents, ordinals)
        labels = [f"{self._name}:{line}" for line, _ in numbered]
        formerly = map(_former_key, formers, ordinals)
        keys = map(SourceKey, texts, instants, labels, formerly)
        return (
            replace(each, source_key=key) for each, key in zip(interactions, keys, strict=False)
        )


def _refuse_other_formats(line: str) -> None:
    for begins, what in _OTHER_FORMATS.items():
        if line.startswith(begins):
            raise InvalidHeaderError(what)


def _explained(header: Sequence[str], error: InvalidHeaderError) -> str:
    if "\0" in "".join(header) or "\udcff" in header[0]:
        return "the file is not in UTF-8"
    tracker = tracker_of(header)
    if tracker is None:
        return str(error)
    return (
        f"this is a list of issues from {tracker}, not of who touched them when; "
        "docs/how-to/import-csv.md shows how to make rows of it"
    )


def _key(content: bytes, ordinal: int) -> str:
    return f"csv:{content.hex()}:{ordinal}"


def _former_key(content: bytes | None, ordinal: int) -> str | None:
    return None if content is None else _key(content, ordinal)
