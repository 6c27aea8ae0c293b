"""Observations: issues as Linear described them, checked before they become events (R11)."""

import datetime as dt
import hashlib
import math
import re
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from ledger.commands import EARLIEST, FOREVER
from ledger.errors import InvalidInteractionError
from ledger.events import FORGOTTEN, IssueObserved
from ledger.idempotency import SourceKey
from ledger.instants import Instant
from ledger.validation import UserId, display_name_of, text_of

Origin = Literal["webhook", "look-up"]
"""How Linear came to say it."""

LIMIT = 250
"""The most labels, blockers, former identifiers or texts of one observation."""

PRIORITIES = range(5)
"""None, urgent, high, medium and low."""

ESTIMATE_LIMIT = 1e6
URL_LIMIT = 500
USER_PREFIX = "linear:"

_IDENTIFIER = re.compile(r"[A-Z0-9_]{1,40}-[0-9]{1,9}")
_TEAM = re.compile(r"[A-Z0-9_]{1,40}")
_STATE_TYPE = re.compile(r"[a-z][a-z_]{0,39}")
_URL = re.compile(rf"https?://[!-~]{{1,{URL_LIMIT}}}")


class Person(msgspec.Struct, frozen=True):
    """A user or an app of Linear; the name is kept apart from events, and can be forgotten."""

    id: str
    name: str | None = None
    is_app: bool = False

    @property
    def user_id(self) -> UserId:
        """The id of the user who stands for the person in the ledger."""
        return UserId(USER_PREFIX + self.id)


class Text(msgspec.Struct, frozen=True):
    """The title of an issue, or the name of one of its states, labels, cycles and projects."""

    id: str
    text: str
    url: str | None = None


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """An issue as Linear described it; a field that is UNSET was not part of the description.

    Ids are Linear's UUIDs. `updated_at` is the issue's own. `said_at` is when Linear said it: the
    timestamp of a webhook, or when a look-up was answered; None stands for when it is recorded. It
    decides between descriptions with the same `updated_at`: Linear does not change that for every
    change, such as one of `blockers`, the unfinished issues that block this one. `state_since` is
    when the issue came into its state; webhooks do not say so. `texts` and the names of people are
    no part of the event. `public_team` is the team if its issues are public, or None: webhooks do
    not say that, either.

    If `commented`, the actor commented on it at `updated_at`, and nothing else is described.
    """

    issue: str
    identifier: str
    team: str
    updated_at: Instant
    state_id: str | None = None
    state_type: str | UnsetType = UNSET
    state_since: Instant | UnsetType = UNSET
    former_identifiers: tuple[str, ...] | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    assignee: Person | UnsetType | None = UNSET
    due_date: dt.date | UnsetType | None = UNSET
    cycle: str | UnsetType | None = UNSET
    project: str | UnsetType | None = UNSET
    labels: tuple[str, ...] | UnsetType = UNSET
    estimate: float | UnsetType | None = UNSET
    blockers: tuple[str, ...] | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    trashed: bool | UnsetType = UNSET
    public_team: str | UnsetType | None = UNSET
    actor: Person | UnsetType | None = UNSET
    removed: bool = False
    commented: bool = False
    origin: Origin
    said_at: Instant | None = None
    texts: tuple[Text, ...] = ()

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The present identifier of the issue, and the former ones that are described."""
        former = self.former_identifiers
        return (self.identifier,) if former is UNSET else (self.identifier, *former)

    @property
    def people(self) -> tuple[Person, ...]:
        """The people whom it names."""
        return tuple(each for each in (self.assignee, self.actor) if isinstance(each, Person))


def checked_observation(observation: Observation) -> Observation:
    """Return `observation` in its canonical form: ids in lower case, lists sorted, texts cleaned.

    Raises InvalidInteractionError, a ValueError, that names the first field that is invalid. A text
    of anything that the observation does not name is refused: a person's name could not be
    forgotten there.
    """
    observation = _typed(observation)
    checked = msgspec.structs.replace(
        observation,
        issue=_uuid("issue", observation.issue),
        identifier=_matching("identifier", _IDENTIFIER, observation.identifier.upper()),
        team=_matching("team", _TEAM, observation.team.upper()),
        updated_at=_instant("updated_at", observation.updated_at),
        said_at=None if observation.said_at is None else _instant("said_at", observation.said_at),
        state_id=_optional("state_id", observation.state_id),
        state_type=_state_type(observation),
        state_since=_state_since(observation.state_since),
        former_identifiers=_formers(observation.former_identifiers),
        public_team=_public_team(observation.public_team),
        priority=_priority(observation.priority),
        assignee=_person("assignee", observation.assignee),
        cycle=_said("cycle", observation.cycle),
        project=_said("project", observation.project),
        labels=_ids("labels", observation.labels),
        estimate=_estimate(observation.estimate),
        blockers=_ids("blockers", observation.blockers),
        actor=_person("actor", observation.actor),
    )
    return msgspec.structs.replace(checked, texts=_texts(checked))


def source_key_of(observation: Observation) -> SourceKey:
    """The key of what a checked observation says: of webhook, retry and look-up alike.

    When and how Linear said it, names and texts are no part of it.
    """
    return SourceKey(f"linear:{_digest(content_of(observation))}", observation.updated_at)


def repeated_key_of(observation: Observation, said_at: Instant) -> SourceKey:
    """The key of what Linear says again at `said_at`, after it said something else meanwhile."""
    content = content_of(observation) + b"@%d" % said_at
    return SourceKey(f"linear:{_digest(content)}", observation.updated_at)


def content_of(observation: Observation) -> bytes:
    """The canonical bytes of what a checked observation says."""
    bare = msgspec.structs.replace(
        observation,
        assignee=_bare(observation.assignee),
        actor=_bare(observation.actor),
        origin="webhook",
        said_at=None,
        texts=(),
    )
    return msgspec.json.encode(bare, order="sorted")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _bare(person: Person | UnsetType | None) -> Person | UnsetType | None:
    return Person(person.id, None, person.is_app) if isinstance(person, Person) else person


# The order of descriptions, field by field, which does not depend on the order of arrival.

_OPTIONAL = (
    "former_identifiers",
    "priority",
    "assignee",
    "due_date",
    "cycle",
    "project",
    "labels",
    "estimate",
    "blockers",
    "archived",
    "trashed",
    "public_team",
)
BLOCKERS = "blockers"

Order = tuple[int, int, bytes]
"""Sorts what events say of a field; the last one is true."""


def said_by(event: IssueObserved) -> dict[str, Any]:
    """The values of the fields that an event describes; `state` is a type and an id.

    A comment describes none.
    """
    if event.commented:
        return {}
    optional = ((name, getattr(event, name)) for name in _OPTIONAL)
    return {
        "identifier": event.identifier,
        "team": event.team,
        "state": (event.state_type, event.state_id),
        "removed": event.removed,
        **{name: value for name, value in optional if value is not UNSET},
    }


def order_of(event: IssueObserved, field: str) -> Order:
    """The place of an event among those that describe a field of the same issue.

    `updated_at` decides, then `said_at`, and then the content. A relation to another issue does not
    change `updated_at`, so of blockers `said_at` decides.
    """
    content = _content(event)
    if field == BLOCKERS:
        return event.said_at, event.updated_at, content
    return event.updated_at, event.said_at, content


def is_news(event: IssueObserved, known: Iterable[IssueObserved]) -> bool:
    """Whether `event` changes any field that the `known` ones describe.

    A person who was forgotten meanwhile does not count as a change.
    """
    others = [(each, said_by(each)) for each in known]
    for field, value in said_by(event).items():
        said = [
            (order_of(each, field), values[field]) for each, values in others if field in values
        ]
        order, latest = max(said, default=((0, 0, b""), UNSET))
        if value not in {FORGOTTEN, latest} and order_of(event, field) > order:
            return True
    return False


class Latest(NamedTuple):
    """The latest instants of an issue's descriptions, and the position of the one that is true.

    It is the only one with the latest `said_at`, and has the latest `updated_at`, too, so no other
    comes after it in the order of any field. The position is None if there is no such one.
    """

    updated_at: int
    said_at: int
    position: int | None

    def merged(self, other: "Latest") -> "Latest":
        """The latest of both; associative and commutative."""
        updated_at, said_at = (
            max(self.updated_at, other.updated_at),
            max(self.said_at, other.said_at),
        )
        last, *tied = (each for each in (self, other) if each.said_at == said_at)
        is_true = not tied and last.updated_at == updated_at
        return Latest(updated_at, said_at, last.position if is_true else None)


def _content(event: IssueObserved) -> bytes:
    bare = msgspec.structs.replace(
        event, originator_version=0, recorded_at=0, said_at=0, origin="webhook"
    )
    return msgspec.json.encode(bare, order="sorted")


# Fields that Linear may not have said.


def _public_team(value: str | UnsetType | None) -> str | UnsetType | None:
    return _matching("public_team", _TEAM, value.upper()) if isinstance(value, str) else value


def _said(field: str, value: str | UnsetType | None) -> str | UnsetType | None:
    return value if value is UNSET else _optional(field, value)


def _optional(field: str, value: str | UnsetType | None) -> str | None:
    return _uuid(field, value) if isinstance(value, str) else None


def _ids(field: str, value: tuple[str, ...] | UnsetType) -> tuple[str, ...] | UnsetType:
    return value if value is UNSET else _listed(field, (_uuid(field, each) for each in value))


def _state_type(observation: Observation) -> str | UnsetType:
    """The type of the state, without which only a comment is an observation."""
    if observation.commented:
        return UNSET
    if observation.state_type is UNSET:
        raise InvalidInteractionError("state_type", "must be given")
    return _matching("state_type", _STATE_TYPE, observation.state_type)


def _state_since(value: Instant | UnsetType) -> Instant | UnsetType:
    return value if value is UNSET else _instant("state_since", value)


def _formers(value: tuple[str, ...] | UnsetType) -> tuple[str, ...] | UnsetType:
    if value is UNSET:
        return value
    field = "former_identifiers"
    return _listed(field, (_matching(field, _IDENTIFIER, each.upper()) for each in value))


def _priority(value: int | UnsetType) -> int | UnsetType:
    if value is UNSET or (type(value) is int and value in PRIORITIES):
        return value
    raise InvalidInteractionError("priority", "must be a whole number from 0 to 4")


def _estimate(value: float | UnsetType | None) -> float | UnsetType | None:
    if value is UNSET or value is None:
        return value
    if not (math.isfinite(value) and 0 <= value <= ESTIMATE_LIMIT):
        raise InvalidInteractionError("estimate", f"must be a number from 0 to {ESTIMATE_LIMIT:g}")
    return float(value) + 0.0  # which turns -0.0 into 0.0


def _person(field: str, value: Person | UnsetType | None) -> Person | UnsetType | None:
    if not isinstance(value, Person):
        return value
    return Person(_uuid(field, value.id), display_name_of(value.name), value.is_app)


# Values.


_FIELDS = msgspec.structs.fields(Observation)


def _typed(observation: Observation) -> Observation:
    """Return `observation` with fields of their types: an event with another could not be read."""
    values = {each.name: _of_type(each, getattr(observation, each.name)) for each in _FIELDS}
    return Observation(**values)


def _of_type(field: msgspec.structs.FieldInfo, value: object) -> Any:  # noqa: ANN401 - of the type
    if value is UNSET and field.default is UNSET:
        return value
    try:
        plain = msgspec.to_builtins(value, builtin_types=(dt.date,))
        return msgspec.convert(plain, field.type)
    except (TypeError, ValueError):  # which msgspec.ValidationError is
        raise InvalidInteractionError(field.name, "must have the type of the field") from None


def _uuid(field: str, text: str) -> str:
    try:
        return str(UUID(text))
    except (ValueError, TypeError, AttributeError):
        raise InvalidInteractionError(field, "must be a UUID") from None


def _matching(field: str, pattern: re.Pattern[str], text: str) -> str:
    if pattern.fullmatch(text) is None:
        raise InvalidInteractionError(field, f"must match {pattern.pattern}")
    return text


def _instant(field: str, instant: Instant) -> Instant:
    if not EARLIEST <= instant <= FOREVER:
        raise InvalidInteractionError(field, "must be from 2000 to 9999")
    return instant


def _listed(field: str, values: Iterable[str]) -> tuple[str, ...]:
    listed = tuple(sorted(set(values)))
    if len(listed) > LIMIT:
        raise InvalidInteractionError(field, f"must not have more than {LIMIT} entries")
    return listed


def _texts(observation: Observation) -> tuple[Text, ...]:
    """The cleaned texts of a checked observation, one for each id; empty ones are left out."""
    named = set(_named(observation))
    found: dict[str, Text] = {}
    for each in observation.texts:
        id_, text = _uuid("texts", each.id), text_of(each.text)
        if id_ not in named:
            raise InvalidInteractionError("texts", "must be of what the observation names")
        if text is not None:
            found[id_] = Text(id_, text, _url(each.url))
    return tuple(found[id_] for id_ in sorted(found))


def _named(observation: Observation) -> Iterable[str]:
    yield observation.issue
    for each in (observation.state_id, observation.cycle, observation.project):
        if isinstance(each, str):
            yield each
    for several in (observation.labels, observation.blockers):
        if several is not UNSET:
            yield from several


def _url(text: str | None) -> str | None:
    """Return `text`, or None if it is no address that can be shown as it is."""
    return text if text is not None and _URL.fullmatch(text) else None
