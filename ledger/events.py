"""The events, which are immutable facts in the past tense, and the row that folds read of one."""

from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec

from ledger.commands import Kind
from ledger.instants import DAY, Instant
from ledger.validation import IssueId


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
    """An override: the engagement's base is `score` from `occurred_at` on (R6)."""

    originator_id: UUID
    originator_version: int
    recorded_at: Instant
    issue_id: IssueId
    occurred_at: Instant
    score: float


class EngagementHidden(msgspec.Struct, frozen=True):
    """A user wants an issue left out of their lists, or, if not `hidden`, shown there again.

    The latest of (`occurred_at`, `hidden`) decides. Scores and totals do not depend on it.
    """

    originator_id: UUID
    originator_version: int
    recorded_at: Instant
    issue_id: IssueId
    occurred_at: Instant
    hidden: bool


class PolicyAdopted(msgspec.Struct, frozen=True):
    """Another policy computes scores from this position on (R14); in the ledger's own stream.

    `version` counts the policies of a ledger; the first one, 1, is in force without an event.
    `fields` are all fields of the policy, which the ledger does not interpret.
    """

    originator_id: UUID
    originator_version: int
    recorded_at: Instant
    version: int
    fields: dict[str, Any]


class HistorySealed(msgspec.Struct, frozen=True):
    """The events of a range of positions were moved into a segment; in the ledger's own stream.

    It has `events` of accounts from `first_position` to `last_position`; `digest` is the SHA-256 of
    their contents in hexadecimal digits, as computed by `ledger.archive.digests.digest`.
    """

    originator_id: UUID
    originator_version: int
    recorded_at: Instant
    first_position: int
    last_position: int
    events: int
    digest: str


class ClockCorrected(msgspec.Struct, frozen=True):
    """The ledger's clock had run ahead: `recorded_at` is the right time (R8).

    It belongs to the ledger's own stream. Earlier events count as recorded by then, as described in
    `ledger.clock_corrections`; `reason` is the operator's.
    """

    originator_id: UUID
    originator_version: int
    recorded_at: Instant
    reason: str


FoldedEvent = InteractionRecorded | ScoreOverridden
"""Events from which engagements are folded."""

AccountEvent = FoldedEvent | EngagementHidden
"""Events of a user and an issue."""

OwnEvent = PolicyAdopted | HistorySealed | ClockCorrected
"""Events in the ledger's own stream."""

Event = AccountEvent | OwnEvent


def kind_label(event: AccountEvent) -> str:
    """The name of an event's kind in histories and exports."""
    match event:
        case InteractionRecorded():
            return event.kind.label
        case ScoreOverridden():
            return "override"
        case EngagementHidden():
            return "hidden" if event.hidden else "unhidden"


INTERACTION = "interaction"
OVERRIDE = "override"
HIDING = "hiding"
POLICY = "policy"
SEALING = "sealing"
CLOCK = "clock"

TOPICS: dict[str, type[Event]] = {
    INTERACTION: InteractionRecorded,
    OVERRIDE: ScoreOverridden,
    HIDING: EngagementHidden,
    POLICY: PolicyAdopted,
    SEALING: HistorySealed,
    CLOCK: ClockCorrected,
}
"""Short and stable names for event types; a topic that is not here is never resolved."""

SEALED_TOPICS = frozenset({INTERACTION, OVERRIDE})
"""The topics whose events have typed columns and go into segments; all others stay hot."""


def is_late(occurred_at: int, recorded_at: int) -> bool:
    """Whether the event was recorded more than a day after it occurred."""
    return recorded_at - occurred_at > DAY


class EventRow(NamedTuple):
    """The fields of an event that a fold reads: an interaction has a kind, an override a score.

    `stream` is the account's interned number within one ledger.
    """

    position: int
    stream: int
    issue_id: str
    kind: Annotated[int, msgspec.Meta(ge=int(min(Kind)), le=int(max(Kind)))] | None
    occurred_at: int
    linear_id: str | None
    score: float | None
    recorded_at: int

    @property
    def is_late(self) -> bool:
        """Whether the event was recorded more than a day after it occurred."""
        return is_late(self.occurred_at, self.recorded_at)
