"""Suggestions for issue keys that lack their hyphen."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ledger.errors import UnknownEngagementError

_WITHOUT_HYPHEN = re.compile(r"([A-Z](?:[A-Z0-9]*[A-Z])?)[ _.:#]*([1-9][0-9]{0,4})")


def suggest_issue(issue: str) -> None:
    """Print a note with `issue` in its usual form, if it looks like a key that lacks its hyphen."""
    found = _WITHOUT_HYPHEN.fullmatch(issue.upper())
    if found:
        click.echo(f"note: did you mean {found[1]}-{found[2]}?", err=True)


@contextmanager
def suggesting_issue(issue: str) -> Iterator[None]:
    """Call `suggest_issue` if the block raises UnknownEngagementError."""
    try:
        yield
    except UnknownEngagementError:
        suggest_issue(issue)
        raise
