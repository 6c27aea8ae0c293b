"""Histories in CSV: one interaction a row, read as a stream.

`ledger.csv_row` names the columns. The file is UTF-8, plain or gzipped; the header shows the
separator.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress

import msgspec

from ledger.csv_header import InvalidHeaderError, beginning_of, columns_of
from ledger.csv_row import NAMES, cell, content_of, former_content_of, interaction_of_row
from ledger.errors import InvalidInteractionError
from ledger.intake.files import READING_FAILS, reason_of, unpacked
from ledger.intake.history import Entry, Refusal, UnreadableHistoryError
from ledger.intake.ordinals import Ordinals
from ledger.interaction import Interaction
from ledger.source_keys import SourceKey
from ledger.tracker_exports import COLUMNS, tracker_of

ROW_LIMIT = 2_097_152
"""Characters of a row, including ignored columns; longer rows are skipped."""

_LINE_ENDS = ("\n", "\r")
_KNOWN = {*NAMES.known, *NAMES.other_names, *COLUMNS}


def read_csv(stream: io.BufferedReader, name: str) -> Iterator[Entry | Refusal]:
    """Yield an entry or a refusal for each row of `stream`, in constant memory.

    A row without a key is known by its content and its ordinal among equal rows, so that reading a
    file again adds nothing, and two truly equal rows are two. `name` is what the origin calls the
    source. Raises UnreadableHistoryError where the file cannot be read on.
    """
    text = _text(stream)
    header = None
    try:
        with closing(Ordinals()) as ordinals:
            for line, row in _rows(text):
                if isinstance(row, str):
                    yield Refusal(f"line {line}", row)
                elif header is None:
                    header = _Header(row, line)
                else:
                    yield _entry(row, header, ordinals, (name, line))
    finally:
        with suppress(ValueError):  # where the caller has closed it already
            text.detach()  # the stream stays open: it is the caller's
    if header is None:
        raise UnreadableHistoryError("line 1: there is no header")


def _text(stream: io.BufferedReader) -> io.TextIOWrapper:
    # Bytes that are no UTF-8 become lone surrogates, by which the row that holds them is refused.
    return io.TextIOWrapper(unpacked(stream), "utf-8-sig", errors="surrogateescape", newline="")


def _rows(text: io.TextIOWrapper) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each row, or the reason why it is none, with the line on which it begins."""
    # Rows are bounded here as a whole. The limit of the process for one field is never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), ROW_LIMIT))
    lines = _Lines(text)
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
            reason = reason_of(error)
            raise UnreadableHistoryError(f"line {line}: cannot be read on: {reason}") from error
        if row is None:
            return
        if row:
            yield line, row


def _reader(lines: "_Lines") -> tuple[Iterator[list[str]], int]:
    separator, before, rest = beginning_of(lines, _KNOWN.__contains__)
    return csv.reader(rest, strict=True, delimiter=separator), before


class _Lines(Iterator[str]):
    """The lines of a file; the rest of a row that is too long is skipped.

    `room` is how much longer the current row may become, `quotes` how many quotes it has.
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


class _Header:
    """The header: the place of each known column, and the number of columns."""

    def __init__(self, row: Sequence[str], line: int) -> None:
        self.width = len(row)
        try:
            self.columns: Mapping[str, int] = columns_of(row, NAMES)
        except InvalidHeaderError as error:
            raise UnreadableHistoryError(f"line {line}: {_explained(row, error)}") from error


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


def _entry(
    row: Sequence[str], header: _Header, ordinals: Ordinals, place: tuple[str, int]
) -> Entry | Refusal:
    name, line = place
    where = f"line {line}"
    if len(row) != header.width:
        return Refusal(where, f"has {len(row)} fields where the header has {header.width}")
    try:
        interaction = interaction_of_row(row, header.columns)
        key = cell(row, header.columns, "key")
        if key is None:
            former = former_content_of(interaction, row, header.columns)
            source_key = _content_key(interaction, former, ordinals, f"{name}:{line}")
        else:
            source_key = SourceKey(key)
    except InvalidInteractionError as error:
        return Refusal(where, str(error))
    return Entry(where, (msgspec.structs.replace(interaction, source_key=source_key),))


def _content_key(
    interaction: Interaction, former: bytes | None, ordinals: Ordinals, label: str
) -> SourceKey:
    content = content_of(interaction)
    ordinal = ordinals.next(content)
    return SourceKey(
        _key(content, ordinal),
        interaction.occurred_at,
        label,
        None if former is None else _key(former, ordinal),
    )


def _key(content: bytes, ordinal: int) -> str:
    return f"csv:{content.hex()}:{ordinal}"
