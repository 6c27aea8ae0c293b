"""Histories in CSV: one interaction a row, read as a stream.

Columns: occurred_at, user (or user_id), issue_id, kind (or interaction_type), context; and, where
they are there, key and linear_id. UTF-8, plain or gzipped.
"""

import csv
import datetime as dt
import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

import msgspec

from ledger.errors import InvalidInteractionError
from ledger.intake.files import READING_FAILS, reason_of, unpacked
from ledger.intake.history import Entry, Refusal, UnreadableHistoryError
from ledger.intake.ordinals import Ordinals
from ledger.interaction import Interaction, interaction_of
from ledger.source_keys import SourceKey

_OTHER_NAMES = {"user": "user_id", "interaction_type": "kind"}
_REQUIRED = ("occurred_at", "user_id", "issue_id", "kind", "context")
_OPTIONAL = ("key", "linear_id")
_CONTENT_BYTES = 16

LINE_LIMIT = 2_097_152
"""Characters; no row that could be recorded comes near it."""


def read_csv(stream: io.BufferedReader, name: str) -> Iterator[Entry | Refusal]:
    """Yield an entry or a refusal for each row of `stream`, in constant memory.

    A row without a key is known by its content and its ordinal among equal rows, so that reading a
    file again adds nothing, and two truly equal rows are two. `name` is what the origin calls the
    source. Raises UnreadableHistoryError where the file cannot be read on.
    """
    text = _text(stream)
    columns = None
    try:
        with closing(Ordinals()) as ordinals:
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
    # Bytes that are no UTF-8 become lone surrogates, by which the row that holds them is refused.
    return io.TextIOWrapper(unpacked(stream), "utf-8-sig", errors="surrogateescape", newline="")


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
        except READING_FAILS as error:
            reason = reason_of(error)
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
    row: Sequence[str], columns: dict[str, int], ordinals: Ordinals, place: tuple[str, int]
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
    return Entry(where, (msgspec.structs.replace(interaction, source_key=source_key),))


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


def _content_key(interaction: Interaction, ordinals: Ordinals, label: str) -> SourceKey:
    at = interaction.occurred_at
    facts = (at, interaction.user_id, interaction.issue_id, interaction.kind, interaction.context)
    content = hashlib.blake2b(msgspec.json.encode(facts), digest_size=_CONTENT_BYTES).digest()
    return SourceKey(f"csv:{content.hex()}:{ordinals.next(content)}", at, label)
