"""The CSV format of histories: headers, rows as interactions, and common mistakes in both."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from ledger.commands import Interaction, interaction_of, kind_of, occurred_at_of
from ledger.errors import InvalidInteractionError, LedgerError
from ledger.instants import Instant, moment_of_iso
from ledger.validation import IssueId, UserId, context_of, issue_id_of, linear_id_of, user_id_of

# Headers of CSV files: the separator, and the place of each column.

SEPARATORS = ",;\t|"
"""Possible separators; the first one is the default."""

_SEPARATOR_LINE = re.compile(r'"?sep=(?P<separator>.)"?[,;\t|]*\r?\n?', re.IGNORECASE)


class InvalidHeaderError(LedgerError, ValueError):
    """A header without a required column."""


class Names(NamedTuple):
    """The columns that a kind of file may have, and their other names.

    `usual` columns, like `optional` ones, may be missing; but if a header has all required and all
    usual ones under their exact names, all its names are taken literally.
    """

    required: tuple[str, ...]
    usual: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    other_names: Mapping[str, str] = {}

    @property
    def known(self) -> tuple[str, ...]:
        """All columns that are read."""
        return self.required + self.usual + self.optional


class Beginning(NamedTuple):
    """The beginning of a file: separator, number of lines before the header, and other lines."""

    separator: str
    lines_before: int
    lines: Iterator[str]


def beginning_of(lines: Iterator[str], is_known: Callable[[str], bool]) -> Beginning:
    """Find the separator and the header; empty lines may come first.

    A first line such as `sep=;`, which spreadsheets write, names the separator; else it is the one
    that yields most known columns. Raises InvalidHeaderError if `sep=` names none of SEPARATORS.
    """
    before, line = _first(lines, 0)
    named = _named(line)
    if named is not None:
        before, line = _first(lines, before + 1)
    return Beginning(named or _found(line, is_known), before, chain((line,), lines))


def _first(lines: Iterator[str], before: int) -> tuple[int, str]:
    """The first line that is not empty, and the number of lines before it."""
    return next(
        ((number, line) for number, line in enumerate(lines, before) if line.strip("\r\n")),
        (before, ""),
    )


def _named(line: str) -> str | None:
    match = _SEPARATOR_LINE.fullmatch(line)
    if match is None:
        return None
    if match["separator"] not in SEPARATORS:
        message = "sep= must name a comma, semicolon, tab or bar"
        raise InvalidHeaderError(message)
    return match["separator"]


def _found(line: str, is_known: Callable[[str], bool]) -> str:
    def known_with(separator: str) -> int:
        fields = next(csv.reader([line], delimiter=separator), [])
        return sum(is_known(folded(field)) for field in fields)

    return max(SEPARATORS, key=known_with)


def folded(name: str) -> str:
    """Normalize a column's name, ignoring case, blanks and hyphens."""
    return "_".join(name.lower().replace("-", " ").replace("_", " ").split())


def columns_of(header: Sequence[str], names: Names) -> dict[str, int]:
    """Return the place of each known column.

    Names are folded unless they are taken literally. Raises InvalidHeaderError if a required column
    is missing, or a known one occurs twice.
    """
    written = [_usual(name.strip(), names) for name in header]
    if not {*names.required, *names.usual} <= set(written):
        written = [_usual(folded(name), names) for name in header]
    missing = [name for name in names.required if name not in written]
    if missing:
        message = f"the header has no column {', '.join(missing)}"
        raise InvalidHeaderError(message)
    twice = sorted(name for name in names.known if written.count(name) > 1)
    if twice:
        message = f"the header has {', '.join(twice)} twice"
        raise InvalidHeaderError(message)
    return {name: written.index(name) for name in names.known if name in written}


def _usual(name: str, names: Names) -> str:
    return names.other_names.get(name, name)


# Detection of ids that a spreadsheet has rewritten, so that different ones may be equal now.

_NUMBER = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?[Ee]\+[0-9]+|-?[0-9]+[.,][0-9]+[Ee]-?[0-9]+")
"""7.01235E+09, also with a decimal comma; but not 2E-10, which can be an issue's key."""

_DECIMAL = re.compile(r"-?[0-9]+[.,]0+")
_NO_VALUE = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|NUM!|NULL!|DIV/0!)|###+")
_FORMULA = re.compile(r'="[^"]*"')

_MONTHS = (
    "jan|janv|gen|ene|feb|febr|févr|fev|mar|mars|mär|mrz|mrt|apr|avr|abr|may|mai|mei|mag|jun|juin|giu"
    "|jul|juil|lug|aug|août|ago|sep|sept|set|oct|okt|ott|out|nov|dec|déc|dez|dic"
)
_DATE = re.compile(
    rf"[0-9]{{1,2}}[-. /]{{1,2}}(?:{_MONTHS})\.?(?:[-. /][0-9]{{2,4}})?"
    r"|[0-9]{1,4}([-./])[0-9]{1,2}\1[0-9]{1,4}(?:[ T][0-9:.]+)?",
    re.IGNORECASE,
)
_MONTH = re.compile(r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-[0-9]{2}")
"""In this case only: MAR-15 and mar-15 are issues."""

_HINTS = (
    (_NUMBER, "a number that a spreadsheet has shortened, as in 7.01E+09 for 7012345678"),
    (_DECIMAL, "a number to which a program has added decimals, as in 7012345678.0"),
    (_NO_VALUE, "an error of a spreadsheet instead of a value"),
    (_FORMULA, "a formula of a spreadsheet instead of a value"),
)
_ISSUE_HINTS = (
    *_HINTS,
    (_DATE, "a date that a spreadsheet has made of an issue, as in 15-Mar for MAR-15"),
    (_MONTH, "a month that a spreadsheet has made of an issue, as in Mar-15 for MAR-2015"),
)
_ADVICE = "export the column as text from the source, where it is still whole"


@lru_cache(maxsize=65_536)
def check_user(text: str) -> None:
    """Raise InvalidInteractionError if a spreadsheet has rewritten a user id."""
    _check("user_id", text, _HINTS)


@lru_cache(maxsize=65_536)
def check_issue(text: str) -> None:
    """Raise InvalidInteractionError if a spreadsheet has rewritten an issue id."""
    _check("issue_id", text, _ISSUE_HINTS)


def _check(field: str, text: str, hints: tuple[tuple[re.Pattern[str], str], ...]) -> None:
    for pattern, hint in hints:
        if pattern.fullmatch(text):
            raise InvalidInteractionError(field, f"looks like {hint}; {_ADVICE}")


# Rows of histories in CSV: the columns, a row's interaction, and the digest of its content.

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


# Exports of issues from trackers, recognized by their headers: they hold no interactions.

_COLUMNS = {
    "Linear": {"id", "team", "title", "status", "creator", "assignee", "created"},
    "Jira": {"issue_key", "issue_type", "summary", "status", "created"},
}

COLUMNS = frozenset[str]().union(*_COLUMNS.values())
"""The folded names of columns that identify an export."""


def tracker_of(header: Iterable[str]) -> str | None:
    """The name of the tracker whose exports have such a header, or None."""
    names = {folded(name) for name in header}
    return next((tracker for tracker, columns in _COLUMNS.items() if columns <= names), None)
