"""The GraphQL documents, and the requests that a set of keys needs."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from ledger.instants import Instant, moment_of

BATCH = 50
"""Issues of one request; Linear takes 250, but its complexity limit counts them."""

LISTED = 10
"""Labels, and relations, that are asked for of each issue."""

_IDENTIFIER = re.compile(r"[A-Z0-9]{1,40}-[1-9][0-9]{0,8}")

_CARD = f"""
fragment Card on Issue {{
  id identifier previousIdentifiers title url branchName
  priority estimate dueDate updatedAt archivedAt trashed
  team {{ id key visibility }}
  state {{ id type name }}
  assignee {{ id displayName }}
  cycle {{ id number name }}
  project {{ id name }}
  labels(first: {LISTED}) {{ nodes {{ id name }} }}
  stateHistory(last: 1) {{ nodes {{ startedAt endedAt }} }}
  inverseRelations(first: {LISTED}) {{ nodes {{ type issue {{ ...Blocker }} }} }}
}}

fragment Blocker on Issue {{
  id identifier archivedAt trashed
  team {{ key visibility }}
  state {{ type }}
}}
"""

_ISSUE = f"query Issue($id: String!) {{ issue(id: $id) {{ ...Card }} }}\n{_CARD}"

_ISSUES = f"""
query Issues($filter: IssueFilter!, $first: Int!) {{
  issues(filter: $filter, first: $first, includeArchived: true) {{ nodes {{ ...Card }} }}
}}
{_CARD}"""

_CHANGED = f"""
query ChangedSince($since: DateTimeOrDuration!, $first: Int!, $after: String) {{
  issues(
    filter: {{ updatedAt: {{ gt: $since }} }}, orderBy: updatedAt
    first: $first, after: $after, includeArchived: true
  ) {{ nodes {{ ...Card }} pageInfo {{ hasNextPage endCursor }} }}
}}
{_CARD}"""

_SETUP = """
query Setup {
  viewer { id displayName organization { id name } }
  teams(first: 100) { nodes { id key visibility } pageInfo { hasNextPage } }
}
"""

DOCUMENTS = {"Issue": _ISSUE, "Issues": _ISSUES, "ChangedSince": _CHANGED, "Setup": _SETUP}
"""Every document, by the name of its operation."""


class Request(msgspec.Struct, frozen=True):
    """A document and its variables, as they are sent."""

    query: str
    variables: Mapping[str, Any] = {}


SETUP = Request(_SETUP)


def is_identifier(key: str) -> bool:
    """Whether `key` can be an identifier in Linear."""
    return _IDENTIFIER.fullmatch(key) is not None


def request_for_one(key: str) -> Request:
    """Return the request for the issue that is or was called `key`."""
    return Request(_ISSUE, {"id": key})


def requests_for_many(keys: Sequence[str]) -> tuple[Request, ...]:
    """Return the requests for the issues that are called `keys` now; none finds former names."""
    batches = (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
    return tuple(
        Request(_ISSUES, {"filter": filter_of(batch), "first": len(batch)}) for batch in batches
    )


def request_for_changes(since: Instant, after: str | None) -> Request:
    """Return the request for issues that were updated after `since`, the latest first.

    `after` is where the page before ended.
    """
    variables = {"since": moment_of(since).isoformat(), "first": BATCH, "after": after}
    return Request(_CHANGED, variables)


def filter_of(keys: Iterable[str]) -> dict[str, Any]:
    """Return the filter that lets the issues `keys` through and no others.

    Each entry of `or` holds the one key `and`: Linear reads several keys there as alternatives, and
    would bring the whole team.
    """
    parted = sorted(
        (team, int(number)) for team, _, number in (key.rpartition("-") for key in keys)
    )
    return {
        "or": [
            {"and": [{"team": {"key": {"eq": team}}}, {"number": {"in": [n for _, n in of_team]}}]}
            for team, of_team in groupby(parted, lambda pair: pair[0])
        ]
    }
