"""A history in CSV recorded slowly: rows read by `csv.reader`, each checked and recorded alone.

It shares with the import what one interaction means, and nothing of how many are handled together.
"""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from ledger.application import EngagementLedger
from ledger.commands import Interaction, interaction_of
from ledger.csv_format import check_issue, check_user
from ledger.entries import ImportReport
from ledger.errors import InvalidInteractionError, LedgerError, OptedOutError
from ledger.idempotency import SourceKey
from ledger.instants import moment_of_iso
from ledger.validation import context_of

Told = list[tuple[str, str]]
"""Where each refusal stands, and its reason."""


def record_one_by_one(
    ledger: EngagementLedger, content: bytes, name: str, on_row: Callable[[int], object]
) -> tuple[ImportReport, Told]:
    """Record a file, and call `on_row` with how many rows were read so far."""
    report, told = ImportReport(), Told()
    for place, row in _rows(content, name):
        report.read += 1
        try:
            counted = isinstance(row, Interaction) and ledger.record(row).counted
        except OptedOutError:
            report.opted_out += 1
        except LedgerError as error:
            report.refused += 1
            told.append((place, str(error)))
        else:
            if isinstance(row, str):
                report.refused += 1
                told.append((place, row))
            elif counted:
                report.recorded += 1
            else:
                report.duplicates += 1
        on_row(report.read)
    return report, told


def _rows(content: bytes, name: str) -> Iterator[tuple[str, Interaction | str]]:
    """Yield each row's interaction, or why it is none."""
    text = content.decode("utf-8-sig", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(reader)
    before = Counter[bytes]()
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"line {line}", f"is not CSV: {error}"
            continue
        if row:
            yield f"line {line}", _interaction(row, header, before, f"{name}:{line}")


def _interaction(
    row: Sequence[str], header: Sequence[str], before: Counter[bytes], label: str
) -> Interaction | str:
    if len(row) != len(header):
        return f"has {len(row)} fields where the header has {len(header)}"
    try:
        cells = dict(zip(header, row, strict=True))
        _check_text("".join(row))
        interaction = _checked(cells)
        key = SourceKey(cells["key"]) if cells.get("key") else None
    except InvalidInteractionError as error:
        return str(error)
    return msgspec.structs.replace(
        interaction, source_key=key or _content_key(interaction, cells, before, label)
    )


def _check_text(text: str) -> None:
    if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise InvalidInteractionError("row", "is not in UTF-8")


def _checked(cells: Mapping[str, str]) -> Interaction:
    check_user(cells["user"])
    check_issue(cells["issue_id"])
    written = cells["occurred_at"]
    try:
        moment = moment_of_iso(written)
    except (ValueError, OverflowError):
        reason = f"{written[:40]!r} is not a moment such as 2026-01-31T10:00:00Z (ISO 8601)"
        raise InvalidInteractionError("occurred_at", reason) from None
    return interaction_of(
        cells["user"],
        cells["issue_id"],
        cells["kind"],
        occurred_at=moment,
        linear_id=cells.get("linear_id"),
        context=cells.get("context", "").replace("\r\n", "\n").replace("\r", "\n"),
    )


def _content_key(
    interaction: Interaction, cells: Mapping[str, str], before: Counter[bytes], label: str
) -> SourceKey:
    content = content_of(interaction, interaction.context)
    ordinal = before[content]
    before[content] += 1
    written, former = cells.get("context", ""), None
    if interaction.context is not None and "\n" in interaction.context:
        with_returns = written if "\r" in written else written.replace("\n", "\r\n")
        former = f"csv:{content_of(interaction, context_of(with_returns)).hex()}:{ordinal}"
    return SourceKey(f"csv:{content.hex()}:{ordinal}", interaction.occurred_at, label, former)


def content_of(interaction: Interaction, context: str | None) -> bytes:
    """The digest of a row's content."""
    at, kind = interaction.occurred_at, int(interaction.kind)
    facts = (at, interaction.user_id, interaction.issue_id, kind, context)
    return hashlib.blake2b(msgspec.json.encode(facts), digest_size=16).digest()
