"""Decoding of Linear's answers: absent, new and odd fields are tolerated unless required."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from enum import Enum
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple

import msgspec

from bot.linear.issue import Blocker, Cycle, Issue, State, Team, is_finished
from bot.linear.quota import Quota, quota_of


class Reason(Enum):
    """The reason why an answer is missing, as it is logged and shown to the operator."""

    UNREACHABLE = "cannot be reached"
    SLOW = "does not answer in time"
    TOO_LONG = "sends more than is read"
    SERVER_ERROR = "has an error"
    UNREADABLE = "sends what cannot be read"
    LIMITED = "has a limit, which is used up"
    KEY_REFUSED = "does not accept the key"
    REFUSED = "does not accept the question"
    UNEXPECTED = "describes an issue that was not asked for"
    PAUSED = "is not asked for a moment, after a failure"
    FAULT = "was not asked, by a fault of this program"


class Failed(NamedTuple):
    """There is no answer."""

    reason: Reason


class NotFound(NamedTuple):
    """Linear knows no such issue, or the key may not see it."""


class Data(NamedTuple):
    """The data of an answer; parts of it may be missing."""

    value: dict[str, Any]


Said = Data | NotFound | Failed


class Response(msgspec.Struct, frozen=True):
    """An answer as it was received; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def quota(self) -> Quota:
        """The quota, as the headers describe it."""
        return quota_of(self.headers)


class _Extensions(msgspec.Struct):
    code: str = ""


class _Error(msgspec.Struct):
    message: str = ""
    extensions: _Extensions = msgspec.field(default_factory=_Extensions)


BLOCKS = "blocks"
"""The type of a relation from an issue to one that it blocks."""

UNREADABLE = (msgspec.ValidationError, UnicodeEncodeError)
"""Raised for a value of another type; the second for half a surrogate pair in its place."""

_LIMITED = "RATELIMITED"
_NOT_FOUND_CODES = frozenset({"INPUT_ERROR", ""})
_KEY_REFUSED = frozenset({"AUTHENTICATION_ERROR", "FORBIDDEN"})
_KEY_REFUSED_BY = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_NOT_FOUND = "Entity not found"


def said(response: Response) -> Said:
    """The meaning of `response`."""
    body = json_object(response.body)
    errors = _errors(body)
    codes = {error.extensions.code for error in errors}
    if _LIMITED in codes or response.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Failed(Reason.LIMITED)
    if codes & _KEY_REFUSED or response.status in _KEY_REFUSED_BY:
        return Failed(Reason.KEY_REFUSED)
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failed(Reason.SERVER_ERROR)
    data = body.get("data")
    if response.status == HTTPStatus.OK and isinstance(data, dict) and data:
        return Data(data)
    if errors and all(map(_is_not_found, errors)):
        return NotFound()
    return Failed(Reason.REFUSED if errors else Reason.UNREADABLE)


def _is_not_found(error: _Error) -> bool:
    """Tell so by the message; some answers of this kind have no code."""
    is_possible = error.extensions.code in _NOT_FOUND_CODES
    return is_possible and error.message.startswith(_NOT_FOUND)


def json_object(body: bytes) -> dict[str, Any]:
    """Return the object that `body` is in JSON, or an empty one."""
    try:
        decoded = json.loads(body)  # msgspec refuses halves of surrogate pairs, as cut titles have
        if b"\\ud" in body.lower():
            decoded = _without_halves(decoded)
    except (ValueError, RecursionError):
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _without_halves(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return `value` with a question mark for each half of a surrogate pair: none can be sent."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, list):
        return [_without_halves(each) for each in value]
    if isinstance(value, dict):
        return {_without_halves(name): _without_halves(each) for name, each in value.items()}
    return value


def _errors(body: dict[str, Any]) -> list[_Error]:
    errors = body.get("errors")
    return [_error(each) for each in errors] if isinstance(errors, list) else []


def _error(error: object) -> _Error:
    try:
        return msgspec.convert(error, _Error)
    except UNREADABLE:
        return _Error()


# --- issues --------------------------------------------------------------------------------------


class _Required(msgspec.Struct, rename="camel"):
    id: str
    identifier: str
    updated_at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    state: State
    team: Team


class _Person(msgspec.Struct, rename="camel"):
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


_OPTIONAL: dict[str, tuple[str, Any]] = {
    "title": ("title", str),
    "url": ("url", str),
    "former_identifiers": ("previousIdentifiers", tuple[str, ...]),
    "due_date": ("dueDate", dt.date),
    "branch_name": ("branchName", str),
    "trashed": ("trashed", bool),
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
    person, priority = _read(node, "assignee", _Person), _read(node, "priority", float)
    cycle = _read(node, "cycle", _Cycle)
    found = {ours: _read(node, theirs, type_) for ours, (theirs, type_) in _OPTIONAL.items()}
    return Issue(
        **msgspec.structs.asdict(required),
        **{name: value for name, value in found.items() if value is not None},
        priority=int(priority) if priority in {1.0, 2.0, 3.0, 4.0} else 0,
        assignee=person.display_name or None if person else None,
        cycle=Cycle(int(cycle.number), cycle.name) if cycle else None,
        in_state_since=_in_state_since(node),
        blockers=tuple(_blockers(node)),
        assignee_id=_id_of(node.get("assignee")),
        state_id=_id_of(node["state"]),
        archived=node.get("archivedAt") is not None,
    )


def _in_state_since(node: dict[str, Any]) -> dt.datetime | None:
    spans = (_converted(each, _Span) for each in _nodes(node, "stateHistory"))
    return next((each.started_at for each in spans if each and each.ended_at is None), None)


def _blockers(node: dict[str, Any]) -> Iterator[Blocker]:
    """Yield the unfinished issues that block an issue; one that cannot be read is left out."""
    for relation in _nodes(node, "inverseRelations"):
        if relation.get("type") != BLOCKS or not isinstance(relation.get("issue"), dict):
            continue
        each = _converted(_without_odd_visibility(relation["issue"]), _Blocking)
        if each is None:
            continue
        archived, trashed = each.archived_at is not None, each.trashed is True
        if not is_finished(each.state.type, archived=archived, trashed=trashed):
            yield Blocker(each.id, each.identifier, each.team)


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
    return (_read(node, "id", str) if isinstance(node, dict) else None) or ""


def _read(node: dict[str, Any], name: str, type_: Any) -> Any:  # noqa: ANN401 - as below
    return _converted(node.get(name), type_)


def _converted(value: object, type_: Any) -> Any:  # noqa: ANN401 - of that type, or None
    try:
        return msgspec.convert(value, type_)
    except UNREADABLE:
        return None


# --- who the key is ------------------------------------------------------------------------------


class Setup(msgspec.Struct, frozen=True):
    """The owner of a key, the workspace, and the teams that the key may read."""

    person: str
    workspace: str
    teams: tuple[Team, ...]
    has_more_teams: bool = False


class _Named(msgspec.Struct):
    name: str = ""


class _Viewer(msgspec.Struct, rename="camel"):
    display_name: str = ""
    organization: _Named = msgspec.field(default_factory=_Named)


class _Page(msgspec.Struct, rename="camel"):
    has_next_page: bool = False


class _Teams(msgspec.Struct, rename="camel"):
    nodes: tuple[Team, ...] = ()
    page_info: _Page = msgspec.field(default_factory=_Page)


class _Setup(msgspec.Struct):
    viewer: _Viewer
    teams: _Teams = msgspec.field(default_factory=_Teams)


def setup_of(data: dict[str, Any]) -> Setup | None:
    """Return the setup that `data` describes, or None if it cannot be read."""
    try:
        read = msgspec.convert(data, _Setup)
    except UNREADABLE:
        return None
    viewer, teams = read.viewer, read.teams
    return Setup(
        viewer.display_name, viewer.organization.name, teams.nodes, teams.page_info.has_next_page
    )
