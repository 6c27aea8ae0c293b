"""Decoding of Linear's answers: absent, new and odd fields are tolerated unless required."""

import json
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from bot.linear.issue import Team
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
