"""Decoding of issues: absent, new and odd fields are tolerated unless required."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET

from bot.linear.decoding import UNREADABLE
from bot.linear.documents import LISTED
from bot.linear.issue import Blocker, Cycle, Issue, Named, State, Team, is_finished
from ledger.observations import ESTIMATE_LIMIT

BLOCKS = "blocks"
"""The type of a relation from an issue to one that it blocks."""


class _Required(msgspec.Struct, rename="camel"):
    id: str
    identifier: str
    updated_at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    state: State
    team: Team


class _Person(msgspec.Struct, rename="camel"):
    id: str
    display_name: str = ""


_Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class _Span(msgspec.Struct, rename="camel"):
    started_at: _Moment
    ended_at: _Moment | None = None


class _StateType(msgspec.Struct):
    type: str


class _Blocking(msgspec.Struct, rename="camel"):
    id: str
    identifier: str
    team: Team
    state: _StateType
    archived_at: object = None
    trashed: object = None


class _Cycle(msgspec.Struct):
    number: Annotated[float, msgspec.Meta(ge=0, le=1_000_000_000)]
    name: str | None = None
    id: str = ""


_OPTIONAL: dict[str, tuple[str, Any]] = {
    "title": ("title", str),
    "url": ("url", str),
    "former_identifiers": ("previousIdentifiers", tuple[str, ...]),
    "priority": ("priority", Annotated[float, msgspec.Meta(ge=0, le=4, multiple_of=1)]),
    "estimate": ("estimate", Annotated[float, msgspec.Meta(ge=0, le=ESTIMATE_LIMIT)] | None),
    "due_date": ("dueDate", dt.date | None),
    "branch_name": ("branchName", str),
    "assignee": ("assignee", _Person | None),
    "cycle": ("cycle", _Cycle | None),
    "project": ("project", Named | None),
    "archived": ("archivedAt", str | None),
    "trashed": ("trashed", bool | None),
}
"""Fields by the names of ours: their names at Linear, and their types."""


def issues_in(nodes: object) -> list[Issue]:
    """Return the issues of `nodes` that can be read."""
    read = map(issue_of, nodes) if isinstance(nodes, list) else ()
    return [issue for issue in read if issue is not None]


class Changes(NamedTuple):
    """A page of issues that have changed, without those that cannot be read."""

    issues: tuple[Issue, ...]
    after: str | None
    """Where the page ends, or None if it is the last one."""


class _ChangesPage(msgspec.Struct, rename="camel"):
    has_next_page: bool = False
    end_cursor: str | None = None


class _Changed(msgspec.Struct, rename="camel"):
    nodes: list[Any]
    page_info: _ChangesPage


def changes_of(data: dict[str, Any]) -> Changes | None:
    """Return the page that `data` holds, or None if it cannot be read."""
    try:
        read = msgspec.convert(data.get("issues"), _Changed)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return None
    page = read.page_info
    return Changes(tuple(issues_in(read.nodes)), page.end_cursor if page.has_next_page else None)


def issue_of(node: object) -> Issue | None:
    """Return the issue that `node` describes, or None if what is required is missing or wrong."""
    if not isinstance(node, dict):
        return None
    try:
        required = msgspec.convert(_without_odd_visibility(node), _Required)
    except UNREADABLE:
        return None
    read = {ours: _read(node, theirs, type_) for ours, (theirs, type_) in _OPTIONAL.items()}
    said = {name: value for name, value in read.items() if value is not UNSET}
    labels, blockers = _labels(node), _blockers(node)
    lists = {"labels": labels.is_whole, "blockers": blockers.is_whole}
    unsaid = {*(read.keys() - said), *(name for name, is_whole in lists.items() if not is_whole)}
    return Issue(
        **msgspec.structs.asdict(required),
        **said | _refined(said),
        labels=labels.found,
        blockers=blockers.found,
        in_state_since=_in_state_since(node),
        state_id=_id_of(node["state"]),
        unsaid=frozenset(unsaid),
    )


def _refined(said: Mapping[str, Any]) -> dict[str, Any]:
    """Those fields in the form of an issue that have another one at Linear."""
    person, cycle = said.get("assignee"), said.get("cycle")
    return {
        "assignee": person.display_name or None if person else None,
        "assignee_id": person.id if person else "",
        "cycle": Cycle(int(cycle.number), cycle.name, cycle.id) if cycle else None,
        "priority": int(said.get("priority", 0)),
        "archived": said.get("archived") is not None,
        "trashed": said.get("trashed") is True,
    }


def _in_state_since(node: dict[str, Any]) -> dt.datetime | None:
    spans = (_converted(each, _Span) for each in _nodes(node, "stateHistory"))
    return next((each.started_at for each in spans if each and each.ended_at is None), None)


class _Listed(NamedTuple):
    """The part of a connection that can be read, and whether that is all that Linear has."""

    found: tuple[Any, ...]
    is_whole: bool


def _labels(node: dict[str, Any]) -> _Listed:
    read = [_converted(each, Named) for each in _nodes(node, "labels")]
    return _listed(node, "labels", read)


def _blockers(node: dict[str, Any]) -> _Listed:
    """The unfinished issues that block an issue."""
    relations = _nodes(node, "inverseRelations")
    read = [_blocking(each) for each in relations if each.get("type") == BLOCKS]
    unfinished = [each for each in read if not (each and _is_finished(each))]
    listed = _listed(node, "inverseRelations", unfinished)
    return listed._replace(
        found=tuple(Blocker(each.id, each.identifier, each.team) for each in listed.found)
    )


def _listed(node: dict[str, Any], name: str, read: list[Any]) -> _Listed:
    """List what could be `read` of the connection `name`; where its page is full, there is more."""
    connection = node.get(name)
    nodes = connection.get("nodes") if isinstance(connection, dict) else None
    is_all = isinstance(nodes, list) and len(_nodes(node, name)) == len(nodes) < LISTED
    found = tuple(each for each in read if each)
    return _Listed(found, is_all and len(found) == len(read))


def _blocking(relation: dict[str, Any]) -> _Blocking | None:
    issue = relation.get("issue")
    if not isinstance(issue, dict):
        return None
    return _converted(_without_odd_visibility(issue), _Blocking) or None


def _is_finished(issue: _Blocking) -> bool:
    archived, trashed = issue.archived_at is not None, issue.trashed is True
    return is_finished(issue.state.type, archived=archived, trashed=trashed)


def _nodes(node: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects in a connection of `node`."""
    connection = node.get(name)
    nodes = connection.get("nodes") if isinstance(connection, dict) else None
    return [each for each in nodes if isinstance(each, dict)] if isinstance(nodes, list) else []


def _without_odd_visibility(node: dict[str, Any]) -> dict[str, Any]:
    """Return `node` without a visibility that is no text: its team is not public then."""
    team = node.get("team")
    if not isinstance(team, dict) or isinstance(team.get("visibility"), str):
        return node
    return node | {"team": {name: value for name, value in team.items() if name != "visibility"}}


def _id_of(node: object) -> str:
    """Return the id of what `node` describes, or nothing."""
    return (_read(node, "id", str) or "") if isinstance(node, dict) else ""


def _read(node: dict[str, Any], name: str, type_: Any) -> Any:  # noqa: ANN401 - as below
    return _converted(node[name], type_) if name in node else UNSET


def _converted(value: object, type_: Any) -> Any:  # noqa: ANN401 - of that type, or UNSET
    try:
        return msgspec.convert(value, type_)
    except UNREADABLE:
        return UNSET
