"""Rows of histories in CSV: the columns, a row's interaction, and the digest of its content."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from ledger.commands import Interaction, interaction_of, kind_of, occurred_at_of
from ledger.csv_header import Names
from ledger.errors import InvalidInteractionError
from ledger.instants import Instant
from ledger.spreadsheets import check_issue, check_user
from ledger.validation import IssueId, UserId, context_of, issue_id_of, linear_id_of, user_id_of
from ledger.written_instants import moment_of_iso

NAMES = Names(
    required=("occurred_at", "user_id", "issue_id", "kind"),
    usual=("context",),
    optional=("key", "linear_id"),
    other_names={"user": "user_id", "interaction_type": "kind"},
)

_Value = TypeVar("_Value")

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


def plain_interactions(
    rows: Sequence[Sequence[str]], columns: Mapping[str, int]
) -> list[Interaction | None]:
    """`interaction_of_row` for many rows, computed by columns.

    All rows have the same width. Each different text of a column is checked once. None stands for a
    row that must be handled alone: it may be refused, has a key, or a context of several lines.
    """
    if not rows or _is_not_utf8("".join(map("".join, rows))):
        return [None] * len(rows)
    written, missing = list(zip(*rows, strict=True)), ("",) * len(rows)
    cells = {name: written[columns[name]] if name in columns else missing for name in NAMES.known}
    facts = zip(
        _checked(cells["user_id"], _user),
        _checked(cells["issue_id"], _issue),
        _checked(cells["kind"], kind_of),
        _checked(cells["occurred_at"], _instant),
        map(linear_id_of, cells["linear_id"]),
        map(context_of, cells["context"]),
        strict=True,
    )
    marks = zip(cells["context"], cells["key"], strict=True)
    is_plain = [not (key or "\n" in context or "\r" in context) for context, key in marks]
    return [
        Interaction(user, issue, kind, at, linear_id, context)
        if plain and user and issue and kind and at is not None
        else None
        for plain, (user, issue, kind, at, linear_id, context) in zip(is_plain, facts, strict=True)
    ]


def _checked(texts: Sequence[str], check: Callable[[str], _Value]) -> list[_Value | None]:
    """Apply `check` to each text; None for each one that it refuses."""
    values: dict[str, _Value] = {}
    for text in set(texts):
        try:
            values[text] = check(text)
        except InvalidInteractionError:
            continue
    return list(map(values.get, texts))


def _user(text: str) -> UserId:
    check_user(text)
    return user_id_of(text)


def _issue(text: str) -> IssueId:
    check_issue(text)
    return issue_id_of(text)


def _instant(text: str) -> Instant:
    return occurred_at_of(_moment(text))


def cell(row: Sequence[str], columns: Mapping[str, int], name: str) -> str | None:
    """Return a row's value in a column, or None if it is empty or there is no such column."""
    index = columns.get(name)
    return None if index is None else row[index] or None


def contents_of(interactions: Sequence[Interaction]) -> list[bytes]:
    """Return the digests that identify rows without a key: each of a row's whole content."""
    facts = [
        (each.occurred_at, each.user_id, each.issue_id, each.kind, each.context)
        for each in interactions
    ]
    return [
        blake2b(encoded, digest_size=_CONTENT_BYTES).digest()
        for encoded in map(msgspec.json.encode, facts)
    ]


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
    return contents_of([replace(interaction, context=context_of(before))])[0]


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
