"""Events: immutable facts in the past tense, and what a correction makes of their instants."""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Annotated, Any, Literal, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from ledger.commands import OVERRIDE, Kind
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


class EngagementDecided(msgspec.Struct, frozen=True):
    """A user's decision about an engagement, in force from `occurred_at` on.

    Subclasses add one field, its value. Of the decisions of one topic, the latest of
    (`occurred_at`, value) holds.
    """

    originator_id: UUID
    originator_version: int
    recorded_at: Instant
    issue_id: IssueId
    occurred_at: Instant

    @property
    def decided(self) -> dict[str, float]:
        """The value under its name, as in {"score": 0.8}."""
        name = self.__struct_fields__[-1]
        return {name: getattr(self, name)}


class ScoreOverridden(EngagementDecided, frozen=True):
    """An override: the engagement's base is `score` from `occurred_at` on (R6)."""

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

    It has `events` of accounts and issues from `first_position` to `last_position`; `digest` is the
    SHA-256 of their contents in hexadecimal digits, as computed by `ledger.archive.digests.digest`.
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
    `ledger.events`; `reason` is the operator's.
    """

    originator_id: UUID
    originator_version: int
    recorded_at: Instant
    reason: str


class IssueObserved(msgspec.Struct, frozen=True, kw_only=True):
    """Linear described an issue, which has a stream of its own; a field that is UNSET was left out.

    Ids are Linear's, except that people are accounts. A person who was forgotten before, or does
    not want to be recorded, is FORGOTTEN. `ledger.observations.Observation` describes the fields.
    """

    originator_id: UUID
    originator_version: int
    recorded_at: Instant
    issue: str
    identifier: str
    team: str
    updated_at: Instant
    said_at: Instant
    state_id: str | None
    state_type: str | UnsetType = UNSET
    state_since: Instant | UnsetType = UNSET
    former_identifiers: tuple[str, ...] | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    assignee: UUID | UnsetType | None = UNSET
    due_date: dt.date | UnsetType | None = UNSET
    cycle: str | UnsetType | None = UNSET
    project: str | UnsetType | None = UNSET
    labels: tuple[str, ...] | UnsetType = UNSET
    estimate: float | UnsetType | None = UNSET
    blockers: tuple[str, ...] | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    trashed: bool | UnsetType = UNSET
    public_team: str | UnsetType | None = UNSET
    actor: UUID | UnsetType | None = UNSET
    actor_is_app: bool | UnsetType = UNSET
    removed: bool = False
    commented: bool = False
    origin: Literal["webhook", "look-up"]

    @property
    def keys(self) -> tuple[str, ...]:
        """The identifiers that the issue has, or had before."""
        formers = self.former_identifiers
        return (self.identifier,) if formers is UNSET else (self.identifier, *formers)


FORGOTTEN = UUID(int=0)
"""Stands in observations for every person without an account."""

FoldedEvent = InteractionRecorded | EngagementDecided
"""Events from which engagements are folded."""

AccountEvent = FoldedEvent | EngagementHidden
"""Events of a user and an issue."""

OwnEvent = PolicyAdopted | HistorySealed | ClockCorrected
"""Events in the ledger's own stream."""

Event = AccountEvent | OwnEvent | IssueObserved


def kind_label(event: AccountEvent) -> str:
    """The name of an event's kind in histories and exports."""
    match event:
        case InteractionRecorded():
            return event.kind.label
        case EngagementHidden():
            return "hidden" if event.hidden else "unhidden"
        case EngagementDecided():
            return next(topic for topic, type_ in TOPICS.items() if type_ is type(event))


INTERACTION = "interaction"
HIDING = "hiding"
POLICY = "policy"
SEALING = "sealing"
CLOCK = "clock"
OBSERVATION = "observation"

TOPICS: dict[str, type[Event]] = {
    INTERACTION: InteractionRecorded,
    OVERRIDE: ScoreOverridden,
    HIDING: EngagementHidden,
    POLICY: PolicyAdopted,
    SEALING: HistorySealed,
    CLOCK: ClockCorrected,
    OBSERVATION: IssueObserved,
}
"""Short and stable names for event types; a topic that is not here is never resolved."""

DECISIONS: dict[str, int] = {OVERRIDE: 0}
"""The topics of decisions, each with the code that stands for it where a column holds codes.

The code of an interaction is its kind, so these are 0, the next one -1, and so on; that of any
event is `DECISIONS.get(topic, kind)`.
"""

OBSERVATION_CODE = -128
"""The code of an observation in segments, far from those of decisions."""

TOPIC_OF_CODE = {
    **dict.fromkeys(map(int, Kind), INTERACTION),
    **{code: topic for topic, code in DECISIONS.items()},
    OBSERVATION_CODE: OBSERVATION,
}
"""The topic of an event with a given code."""


def decision_of(topic: str, head: tuple[Any, ...], value: float) -> EngagementDecided:
    """The decision of a topic, with the fields that all decisions have and a stored value."""
    type_: Any = TOPICS[topic]
    *_, field = msgspec.structs.fields(type_)
    decision: EngagementDecided = type_(*head, field.type(value))
    return decision


TYPED_TOPICS = frozenset({INTERACTION, *DECISIONS})
"""The topics whose events have typed columns; those of all others are in their state alone."""

SEALED_TOPICS = TYPED_TOPICS | {OBSERVATION}
"""The topics whose events go into segments; all others stay hot."""


def is_late(occurred_at: int, recorded_at: int) -> bool:
    """Whether the event was recorded more than a day after it occurred."""
    return recorded_at - occurred_at > DAY


class EventRow(NamedTuple):
    """The fields of an event that a fold reads; `stream` is the account's number in the ledger.

    An interaction has a `kind`, and may have a `linear_id`; a decision has a `score`, its value.
    """

    position: int
    stream: int
    topic: str
    issue_id: str
    kind: Annotated[int, msgspec.Meta(ge=int(min(Kind)), le=int(max(Kind)))] | None
    occurred_at: int
    linear_id: str | None
    score: float | None
    recorded_at: int

    @property
    def is_interaction(self) -> bool:
        """Whether the event is an interaction."""
        return self.topic == INTERACTION

    @property
    def is_late(self) -> bool:
        """Whether the event was recorded more than a day after it occurred."""
        return is_late(self.occurred_at, self.recorded_at)


# Corrections of a clock that ran ahead: which instants events count by afterwards (R8).
#
# A correction holds the right time at its position. Every earlier event was recorded by then, so
# its *effective* `recorded_at` is the least of its own and those of all later corrections.
# Effective instants never decrease from one position to the next.

E = TypeVar("E", bound=AccountEvent)
Placed = tuple[int, E]
"""An event at its position."""


class Correction(NamedTuple):
    """The position of a correction, and the right time when it was recorded."""

    position: int
    recorded_at: int


class Corrections:
    """All corrections of a ledger; falsy if there are none, so that nothing has to be mapped."""

    def __init__(self, found: Iterable[Correction] = ()) -> None:
        """Accept the corrections in any order."""
        in_order = sorted(found)
        self.positions = [each.position for each in in_order]
        """Where they are, in order."""
        latest_first = accumulate((each.recorded_at for each in reversed(in_order)), min)
        self.bounds = [*latest_first][::-1]
        """For each correction, the least instant of it and all later ones; these never decrease."""

    def __bool__(self) -> bool:
        """Whether there is any correction."""
        return bool(self.positions)

    def recorded_at(self, position: int, recorded_at: int) -> int:
        """Return the effective `recorded_at` of the event at a position."""
        following = bisect_right(self.positions, position)
        return min([recorded_at, *self.bounds[following : following + 1]])

    def instants(self, position: int, occurred_at: int, recorded_at: int) -> tuple[int, int]:
        """Return the effective `occurred_at` and `recorded_at` of an event.

        R1 refuses events more than a day ahead of their recording, so a later instant came from the
        wrong clock: such an event counts as having occurred when it was recorded.
        """
        recorded_at = self.recorded_at(position, recorded_at)
        return (recorded_at if occurred_at > recorded_at + DAY else occurred_at), recorded_at

    def of(self, rows: list[EventRow]) -> list[EventRow]:
        """Yield the rows with effective instants."""
        return [self._row(row) for row in rows] if self else rows

    def of_events(self, placed: Iterable[Placed[E]]) -> Iterable[Placed[E]]:
        """Yield events and positions with effective instants."""
        return map(self._event, placed) if self else placed

    def of_observations(self, placed: Iterable[tuple[int, IssueObserved]]) -> list[IssueObserved]:
        """Return observations, without their positions, with effective instants.

        `updated_at` stays: it is Linear's, and another clock's.
        """
        return [self._observation(*each) for each in placed]

    def last_before(self, at: int) -> int:
        """Return the last position that a correction puts before an instant, or 0.

        For later events, their own `recorded_at` decides.
        """
        number = bisect_left(self.bounds, at)
        return self.positions[number - 1] - 1 if number else 0

    def _event(self, placed: Placed[E]) -> Placed[E]:
        position, event = placed
        occurred, recorded = self.instants(position, event.occurred_at, event.recorded_at)
        change = {"occurred_at": Instant(occurred), "recorded_at": Instant(recorded)}
        return position, msgspec.structs.replace(event, **change)

    def _observation(self, position: int, event: IssueObserved) -> IssueObserved:
        said, recorded = self.instants(position, event.said_at, event.recorded_at)
        change = {"said_at": Instant(said), "recorded_at": Instant(recorded)}
        return msgspec.structs.replace(event, **change)

    def _row(self, row: EventRow) -> EventRow:
        occurred_at, recorded_at = self.instants(row.position, row.occurred_at, row.recorded_at)
        return row._replace(occurred_at=occurred_at, recorded_at=recorded_at)
