"""The events: immutable facts in the past tense, and the row of one that folds read."""

from typing import NamedTuple
from uuid import UUID

import msgspec

from ledger.instants import Instant
from ledger.interaction import Kind
from ledger.text import IssueId


class InteractionRecorded(msgspec.Struct, frozen=True):
    """A user, known here only as the account `originator_id`, touched an issue.

    `place` stands for the chat, and `commitment` binds the event to its deletable origin: the
    SHA-256 of a salt and the origin's canonical bytes, or None where there is no origin.
    """

    originator_id: UUID
    originator_version: int
    recorded_at: Instant
    issue_id: IssueId
    kind: Kind
    occurred_at: Instant
    linear_id: str | None = None
    place: UUID | None = None
    commitment: bytes | None = None


class ScoreOverridden(msgspec.Struct, frozen=True):
    """Somebody decided that an engagement's base is `score` from `occurred_at` on (R6)."""

    originator_id: UUID
    originator_version: int
    recorded_at: Instant
    issue_id: IssueId
    occurred_at: Instant
    score: float


Event = InteractionRecorded | ScoreOverridden

INTERACTION = "interaction"
OVERRIDE = "override"

TOPICS: dict[str, type[Event]] = {INTERACTION: InteractionRecorded, OVERRIDE: ScoreOverridden}
"""Short and stable names for event types; a topic that is not here is never resolved."""


class EventRow(NamedTuple):
    """What a fold reads of one event: an interaction has a kind, an override a score.

    `stream` is the account's interned number within one ledger.
    """

    position: int
    stream: int
    issue_id: str
    kind: int | None
    occurred_at: int
    linear_id: str | None
    score: float | None
    recorded_at: int
