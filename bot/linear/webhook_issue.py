"""Issues in webhooks as observations that the ledger can record.

Real webhooks differ from the schema: fields are missing instead of null, and others are added.
Only what makes an observation is required; another field that is missing or odd was not said.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from bot.language import words
from ledger.errors import InvalidInteractionError
from ledger.instants import Instant, instant_of
from ledger.observations import (
    ESTIMATE_LIMIT,
    LIMIT,
    PRIORITIES,
    Observation,
    Person,
    Text,
    checked_observation,
)

Node = Mapping[str, Any]
_CycleNumber = Annotated[float, msgspec.Meta(ge=0, le=1_000_000_000)]
Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class _State(msgspec.Struct):
    type: str


class _Team(msgspec.Struct):
    key: str


class _Required(msgspec.Struct):
    id: str
    identifier: str
    state: _State
    team: _Team


def observation_of(
    node: object, said_at: Instant, changed: Collection[str] = ()
) -> Observation | None:
    """The observation of the issue `node`, or None if it cannot be read.

    `changed` are names of fields that have just changed: one of them that is missing is now empty.
    """
    required = converted(node, _Required)
    if required is None or not isinstance(node, Mapping):
        return None
    updated_at = converted(node.get("updatedAt"), Moment)
    if updated_at is None:
        return None
    return Observation(
        issue=required.id,
        identifier=required.identifier,
        team=required.team.key,
        updated_at=instant_of(updated_at),
        state_id=uuid_of(node["state"].get("id")),
        state_type=required.state.type,
        former_identifiers=_former_identifiers(node),
        priority=_priority(node.get("priority")),
        assignee=_assignee(node, changed),
        due_date=_due_date(node, changed),
        cycle=_related(node, "cycle", changed),
        project=_related(node, "project", changed),
        labels=_labels(node, changed),
        estimate=_estimate(node, changed),
        archived=_archived(node, changed),
        trashed=_trashed(node, changed),
        origin="webhook",
        said_at=said_at,
        texts=_texts(node),
    )


def checked(observation: Observation | None) -> Observation | None:
    """Return an observation in its canonical form, or None if the ledger would refuse it."""
    try:
        return None if observation is None else checked_observation(observation)
    except InvalidInteractionError:
        return None


def converted(value: object, type_: Any) -> Any:  # noqa: ANN401 - of that type, or None
    """Return `value` as a `type_`, or None if it is none, or a moment of no year that counts."""
    try:
        found = msgspec.convert(value, type_)
        if isinstance(found, dt.datetime):
            instant_of(found)
    except (msgspec.ValidationError, ValueError):
        return None
    return found


def uuid_of(value: object) -> str | None:
    """Return `value` if it is a UUID, else None."""
    try:
        return str(UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def name_of(person: Node) -> str | None:
    """The name of a person, if it is said."""
    name = person.get("name")
    return name if isinstance(name, str) else None


# Fields. UNSET was not said.


def _is_empty(node: Node, name: str, changed: Collection[str]) -> bool:
    return node[name] is None if name in node else name in changed


def _former_identifiers(node: Node) -> tuple[str, ...] | UnsetType:
    formers = node.get("previousIdentifiers")
    if not isinstance(formers, list) or len(formers) > LIMIT:
        return UNSET
    return tuple(formers) if all(isinstance(each, str) for each in formers) else UNSET


def _priority(value: object) -> int | UnsetType:
    number = converted(value, float)
    return int(number) if number in PRIORITIES else UNSET


def _assignee(node: Node, changed: Collection[str]) -> Person | UnsetType | None:
    id_ = _related(node, "assignee", changed)
    if not isinstance(id_, str):
        return id_
    person = node.get("assignee")
    person = person if isinstance(person, dict) else {}
    return Person(id_, name_of(person))


def _due_date(node: Node, changed: Collection[str]) -> dt.date | UnsetType | None:
    if _is_empty(node, "dueDate", changed):
        return None
    due: dt.date | None = converted(node.get("dueDate"), dt.date)
    return UNSET if due is None else due


def _related(node: Node, name: str, changed: Collection[str]) -> str | UnsetType | None:
    """Return the id of what the field `name` describes, or only names by its id."""
    value = node.get(name)
    id_ = value.get("id") if isinstance(value, dict) else node.get(f"{name}Id")
    if id_ is not None:
        return uuid_of(id_) or UNSET
    is_said = value is None and (name in node or _is_empty(node, f"{name}Id", changed))
    return None if is_said else UNSET


def _labels(node: Node, changed: Collection[str]) -> tuple[str, ...] | UnsetType:
    labels = _objects(node.get("labels"))
    if labels is None:
        ids = node.get("labelIds", [] if "labelIds" in changed else None)
        return _ids(ids if isinstance(ids, list) else None)
    return _ids([each.get("id") for each in labels])


def _ids(values: list[Any] | None) -> tuple[str, ...] | UnsetType:
    found = tuple(each for each in map(uuid_of, values or ()) if each is not None)
    is_whole = values is not None and len(found) == len(values) <= LIMIT
    return found if is_whole else UNSET


def _objects(value: object) -> list[dict[str, Any]] | None:
    """Return `value` if it is a list of objects."""
    is_whole = isinstance(value, list) and all(isinstance(each, dict) for each in value)
    return value if isinstance(value, list) and is_whole else None


def _estimate(node: Node, changed: Collection[str]) -> float | UnsetType | None:
    if _is_empty(node, "estimate", changed):
        return None
    number: float | None = converted(node.get("estimate"), float)
    return UNSET if number is None or not 0 <= number <= ESTIMATE_LIMIT else number


def _archived(node: Node, changed: Collection[str]) -> bool | UnsetType:
    if _is_empty(node, "archivedAt", changed):
        return False
    return True if "archivedAt" in node else UNSET


def _trashed(node: Node, changed: Collection[str]) -> bool | UnsetType:
    if _is_empty(node, "trashed", changed):
        return False
    return node["trashed"] is True if "trashed" in node else UNSET


def _texts(node: Node) -> tuple[Text, ...]:
    """The title, and the names of what the issue refers to by an id."""
    labels = [] if _labels(node, ()) is UNSET else _objects(node.get("labels")) or []
    named = [node.get("state"), _named_cycle(node.get("cycle")), node.get("project"), *labels]
    texts = [_text(node, "title", node.get("url"))]
    texts += [_text(each, "name") for each in named if isinstance(each, dict)]
    return tuple(each for each in texts if each is not None)


def _named_cycle(cycle: object) -> object:
    """Return `cycle` with a name: most have only a number."""
    if not isinstance(cycle, dict) or cycle.get("name"):
        return cycle
    number = converted(cycle.get("number"), _CycleNumber)
    return cycle | {
        "name": None if number is None else words.ISSUE_CYCLE.format(number=int(number))
    }


def _text(node: Node, name: str, url: object = None) -> Text | None:
    id_, text = uuid_of(node.get("id")), node.get(name)
    if id_ is None or not isinstance(text, str):
        return None
    return Text(id_, text, url if isinstance(url, str) else None)
