"""Linear's webhooks: whether their bytes are Linear's, and what they say of an issue."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from bot.linear.decoding import json_object
from bot.linear.webhook_issue import Moment, checked, converted, name_of, observation_of, uuid_of
from ledger.instants import DAY, Instant, instant_of
from ledger.observations import Observation, Person

SIGNATURE_HEADER, DELIVERY_HEADER = "Linear-Signature", "Linear-Delivery"
EVENT_HEADER, TIMESTAMP_HEADER = "Linear-Event", "Linear-Timestamp"

ACCEPTED_FOR = 8 * 3_600_000_000
"""Linear sends again after a minute, an hour and six: the same bytes with the first timestamp."""
AHEAD_AT_MOST = DAY
"""As far as the clock of this machine may be behind, as for interactions (R1)."""

TEST_TYPE = "EngagementLedgerTest"
"""The type of what `engagement webhook test` sends."""

UNOBSERVED = frozenset(
    {
        "boardOrder",
        "descriptionData",
        "prioritySortOrder",
        "reactionData",
        "sortOrder",
        "subIssueSortOrder",
        "subscriberIds",
        "updatedAt",
    }
)
"""Fields of an issue that are no part of an observation: a drag on a board changes no other."""

_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_MILLISECONDS = 1e14
"""No timestamp is as large."""
_TYPE = re.compile(r"[A-Za-z]{1,40}")
_PEOPLE = frozenset({"user", "externaluser"})
"""Types of actors that are no apps, in lower case."""


class Problem(Enum):
    """The reason why signed bytes are refused."""

    STALE = "is too old, or the clock of this machine is wrong"
    UNREADABLE = "cannot be read"


class Nothing(NamedTuple):
    """There is nothing to record; `unknown_type` is set if this version does not know the type."""

    unknown_type: str | None = None


class _Team(msgspec.Struct):
    key: str


class _CommentedIssue(msgspec.Struct):
    id: str
    identifier: str
    team: _Team


class _Comment(msgspec.Struct, rename="camel"):
    created_at: str
    issue: _CommentedIssue | None = None
    bot_actor: Any = None


def signature_of(body: bytes, secret: str) -> str:
    """The signature of `body` in hexadecimal digits."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def may_be_signature(text: str) -> bool:
    """Whether `text` has the form of a signature."""
    return _SIGNATURE.fullmatch(text) is not None


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Whether `signature` is that of `body`, in a time that says nothing of where they differ."""
    return hmac.compare_digest(signature_of(body, secret).encode(), signature.encode())


def meaning_of(body: bytes, now: Instant) -> Observation | Nothing | Problem:
    """Return what a webhook with a valid signature says.

    Only its signed timestamp decides whether it is too old, never that of a header.
    """
    message = json_object(body)
    said_at, type_ = _instant(message.get("webhookTimestamp")), message.get("type")
    if said_at is None or not isinstance(type_, str):
        return Problem.UNREADABLE
    if not now - ACCEPTED_FOR <= said_at <= now + AHEAD_AT_MOST:
        return Problem.STALE
    return _said(type_, message, said_at)


def _said(
    type_: str, message: Mapping[str, Any], said_at: Instant
) -> Observation | Nothing | Problem:
    match type_:
        case "Issue" if _is_drag(message):
            return Nothing()
        case "Issue":
            return checked(_issue(message, said_at)) or Problem.UNREADABLE
        case "IssueSLA":
            said = observation_of(message.get("issueData"), said_at)
            return checked(said) or Problem.UNREADABLE
        case "Comment":
            return _comment(message, said_at)
        case "EngagementLedgerTest":
            return Nothing()
    return Nothing(type_ if _TYPE.fullmatch(type_) else "a type without a proper name")


def _instant(milliseconds: object) -> Instant | None:
    """Return the instant of a number of milliseconds since 1970."""
    number = converted(milliseconds, float)
    is_instant = number is not None and abs(number) < _MILLISECONDS
    return Instant(int(number) * 1_000) if is_instant else None


def _changed(message: Mapping[str, Any]) -> frozenset[str]:
    before = message.get("updatedFrom")
    return frozenset(before) if isinstance(before, dict) else frozenset()


def _is_drag(message: Mapping[str, Any]) -> bool:
    """Whether an issue changed its place on a board, or nothing else that an observation holds."""
    changed = _changed(message)
    return message.get("action") == "update" and bool(changed) and changed <= UNOBSERVED


def _issue(message: Mapping[str, Any], said_at: Instant) -> Observation | None:
    said = observation_of(message.get("data"), said_at, _changed(message))
    if said is None:
        return None
    said = msgspec.structs.replace(said, actor=_actor(message))
    return _removed(said, message) if message.get("action") == "remove" else said


def _comment(message: Mapping[str, Any], said_at: Instant) -> Observation | Nothing | Problem:
    """Return that the actor commented on an issue; edits and comments on others are nothing."""
    data = converted(message.get("data"), _Comment)
    if data is None:
        return Problem.UNREADABLE
    if data.issue is None or message.get("action") != "create":
        return Nothing()
    actor = _actor(message)
    if data.bot_actor is not None and isinstance(actor, Person):
        actor = Person(actor.id, actor.name, is_app=True)
    said = Observation(
        issue=data.issue.id,
        identifier=data.issue.identifier,
        team=data.issue.team.key,
        updated_at=_moment(data.created_at),
        actor=actor,
        commented=True,
        origin="webhook",
        said_at=said_at,
    )
    return checked(said) or Problem.UNREADABLE


def _removed(said: Observation, message: Mapping[str, Any]) -> Observation:
    """Return the observation of a removal, which is no update of the issue at Linear."""
    at = max(said.updated_at, _moment(message.get("createdAt")))
    return msgspec.structs.replace(said, removed=True, updated_at=at)


def _moment(text: object) -> Instant:
    moment = converted(text, Moment)
    return Instant(0) if moment is None else instant_of(moment)


def _actor(message: Mapping[str, Any]) -> Person | UnsetType | None:
    """Return who caused the webhook: None if Linear itself did, UNSET if that was not said."""
    actor = message.get("actor")
    if not isinstance(actor, dict):
        return None if "actor" in message and actor is None else UNSET
    id_, type_ = uuid_of(actor.get("id")), actor.get("type", "user")
    if id_ is None or not isinstance(type_, str):
        return UNSET
    return Person(id_, name_of(actor), type_.lower() not in _PEOPLE)
