"""Rows of histories in CSV: the columns, a row's interaction, and the digest of its content."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from ledger.csv_header import Names
from ledger.errors import InvalidInteractionError
from ledger.interaction import Interaction, interaction_of
from ledger.spreadsheets import check_issue, check_user
from ledger.text import context_of
from ledger.written_instants import moment_of_iso

NAMES = Names(
    required=("occurred_at", "user_id", "issue_id", "kind"),
    usual=("context",),
    optional=("key", "linear_id"),
    other_names={"user": "user_id", "interaction_type": "kind"},
)

_CONTENT_BYTES = 16
_SHOWN = 40


def interaction_of_row(row: Sequence[str], columns: Mapping[str, int]) -> Interaction:
    """Return a row's interaction without its source key; raises InvalidInteractionError."""
    for text in row:
        if not text.isascii() and _is_not_utf8(text):
            raise InvalidInteractionError("row", "is not in UTF-8")
    user, issue = row[columns["user_id"]], row[columns["issue_id"]]
    check_user(user)
    check_issue(issue)
    context = cell(row, columns, "context")
    return interaction_of(
        user,
        issue,
        row[columns["kind"]],
        occurred_at=_moment(row[columns["occurred_at"]]),
        context=None if context is None else _with_line_feeds(context),
        linear_id=cell(row, columns, "linear_id"),
    )


def cell(row: Sequence[str], columns: Mapping[str, int], name: str) -> str | None:
    """Return a row's value in a column, or None if it is empty or there is no such column."""
    index = columns.get(name)
    return None if index is None else row[index] or None


def content_of(interaction: Interaction) -> bytes:
    """Return the digest that identifies a row without a key: of its whole content."""
    return _digest(interaction, interaction.context)


def former_content_of(
    interaction: Interaction, row: Sequence[str], columns: Mapping[str, int]
) -> bytes | None:
    """Return the digest that version 0.1 computed for a row whose context has several lines.

    CRLF and LF differed there, and a context without CR now may have had CRLF then.
    """
    if interaction.context is None or "\n" not in interaction.context:
        return None
    written = row[columns["context"]]
    before = written if "\r" in written else written.replace("\n", "\r\n")
    return _digest(interaction, context_of(before))


def _digest(interaction: Interaction, context: str | None) -> bytes:
    at = interaction.occurred_at
    facts = (at, interaction.user_id, interaction.issue_id, interaction.kind, context)
    return hashlib.blake2b(msgspec.json.encode(facts), digest_size=_CONTENT_BYTES).digest()


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _is_not_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _moment(text: str) -> datetime:
    try:
        return moment_of_iso(text)
    except (ValueError, OverflowError):
        reason = f"{text[:_SHOWN]!r} is not a moment such as 2026-01-31T10:00:00Z (ISO 8601)"
        raise InvalidInteractionError("occurred_at", reason) from None
