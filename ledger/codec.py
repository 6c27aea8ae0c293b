"""The canonical encoding of events and origins: a value has the same bytes on every machine."""

import hashlib
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from ledger.errors import UnknownTopicError
from ledger.events import TOPICS, Event

_TOPIC_OF = {event_type: topic for topic, event_type in TOPICS.items()}
_HEADER = ("originator_id", "originator_version")


class Origin(msgspec.Struct, frozen=True, gc=False):
    """The deletable data of an interaction, which are not part of its event (R11)."""

    context: str | None = None
    metadata: msgspec.Raw | None = None
    source: str | None = None


def topic_of(event: Event) -> str:
    """Return the short stable topic of `event`, or raise UnknownTopicError."""
    try:
        return _TOPIC_OF[type(event)]
    except KeyError:
        message = f"{type(event).__qualname__} is not an event of the ledger"
        raise UnknownTopicError(message) from None


def encode(event: Event) -> bytes:
    """Return the canonical state of `event`: JSON with sorted keys, without id and version.

    Fields that are UNSET are left out.
    """
    fields = msgspec.structs.asdict(event).items()
    state = {name: value for name, value in fields if value is not UNSET and name not in _HEADER}
    return msgspec.json.encode(state, order="sorted")


def decode(topic: str, originator_id: UUID, originator_version: int, state: bytes) -> Event:
    """Decode the `state` of an event.

    Raises UnknownTopicError for a topic that is not the ledger's, or a state that does not fit it.
    """
    event_type = TOPICS.get(topic)
    if event_type is None:
        message = f"{topic[:40]!r} is not a topic of the ledger"
        raise UnknownTopicError(message)
    try:
        fields: dict[str, Any] = msgspec.json.decode(state)
        header = dict(zip(_HEADER, (originator_id, originator_version), strict=True))
        return msgspec.convert(fields | header, event_type)
    except (ValueError, TypeError, RecursionError) as error:
        message = f"the state of a {topic} event cannot be read: {error}"
        raise UnknownTopicError(message) from error


def origin_of(context: str | None, metadata: bytes | None, source: str | None) -> Origin:
    """Return the origin whose `metadata`, if any, are a JSON object in its canonical bytes."""
    return Origin(context, None if metadata is None else msgspec.Raw(metadata), source)


def commitment(salt: bytes, origin: Origin) -> bytes:
    """The SHA-256 that binds an event to `origin` without revealing it."""
    return hashlib.sha256(salt + msgspec.json.encode(origin, order="sorted")).digest()
