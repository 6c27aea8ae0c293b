"""Exports of issues from trackers, told by their headers: they are no histories of interactions."""

from collections.abc import Iterable

from ledger.csv_header import folded

_COLUMNS = {
    "Linear": {"id", "team", "title", "status", "creator", "assignee", "created"},
    "Jira": {"issue_key", "issue_type", "summary", "status", "created"},
}

COLUMNS = frozenset[str]().union(*_COLUMNS.values())
"""The folded names of columns by which an export is recognised."""


def tracker_of(header: Iterable[str]) -> str | None:
    """Return which tracker's export has such a header, if any of those that are known."""
    names = {folded(name) for name in header}
    return next((tracker for tracker, columns in _COLUMNS.items() if columns <= names), None)
