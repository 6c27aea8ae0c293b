"""Exports of issues from trackers, recognized by their headers: they hold no interactions."""

from collections.abc import Iterable

from ledger.csv_header import folded

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
