"""Commands: what the ledger can be asked to record, checked before it becomes an event (R1)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Self

import msgspec

from ledger.errors import FutureInteractionError, InvalidInteractionError, InvalidScoreError
from ledger.idempotency import SourceKey
from ledger.instants import DAY, Instant, instant_of, iso, moment_of
from ledger.validation import (
    IssueId,
    UserId,
    chat_id_of,
    context_of,
    issue_id_of,
    linear_id_of,
    user_id_of,
)

EARLIEST = instant_of(datetime(2000, 1, 1, tzinfo=UTC))
"""Nothing can have happened before this."""

METADATA_LIMIT_BYTES = 4096


class Kind(IntEnum):
    """The kind of an interaction; the value is the rank that orders equal instants (R3).

    Ranks count from 1 without a gap: what is kept by kind is a tuple in their order. Each kind is
    followed by the words of which the columns of the read model are named.
    """

    MENTION = 1, "mentions", "mentioned_at"
    VIEW = 2, "views", "viewed_at"
    QUERY = 3, "queries", "queried_at"

    count_name: str
    """Names the number of interactions of the kind."""
    last_name: str
    """Names the instant of the last one."""

    def __new__(cls, rank: int, count_name: str = "", last_name: str = "") -> Self:
        """Make a kind; `Kind(rank)` finds it again, so that the words have defaults for types."""
        kind = int.__new__(cls, rank)
        kind._value_ = rank
        kind.count_name, kind.last_name = count_name, last_name
        return kind

    @property
    def label(self) -> str:
        """The word that people and files use."""
        return self.name.lower()


KINDS = {kind.label: kind for kind in Kind}

*_others, _last = (kind.label for kind in reversed(Kind))
LISTED_KINDS = f"{', '.join(_others)} or {_last}"
"""All kinds as a sentence lists them, the highest first."""


def kind_of(text: str) -> Kind:
    """Return the kind that `text` names, else raise InvalidInteractionError (a ValueError)."""
    try:
        return KINDS[text]
    except (KeyError, TypeError):
        reason = f"{str(text)[:20]!r} is not {LISTED_KINDS}"
        raise InvalidInteractionError("interaction_type", reason) from None


class Interaction(msgspec.Struct, frozen=True, gc=False):
    """A checked interaction, ready to be recorded; made by `interaction_of`.

    `occurred_at` None stands for the instant at which it is recorded. `metadata` is a JSON object
    in its canonical bytes.
    """

    user_id: UserId
    issue_id: IssueId
    kind: Kind
    occurred_at: Instant | None = None
    linear_id: str | None = None
    context: str | None = None
    metadata: bytes | None = None
    chat_id: str | None = None
    source_key: SourceKey | None = None


OVERRIDE = "override"
"""The topic of the decision that an engagement's base is the value (R6)."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """A checked decision about an engagement; `topic` says which, see `ledger.events.DECISIONS`."""

    user_id: UserId
    issue_id: IssueId
    topic: str
    value: float
    occurred_at: Instant | None = None


class Hiding(msgspec.Struct, frozen=True, gc=False):
    """A checked request to hide an issue from a user's lists, or show it again; see `hiding_of`."""

    user_id: UserId
    issue_id: IssueId
    hidden: bool
    occurred_at: Instant | None = None
    source_key: SourceKey | None = None


FOREVER = Instant(253_402_300_799_999_999)
"""The last instant there is, at the end of 9999: an opt-out until then has no end."""


class OptOut(msgspec.Struct, frozen=True, gc=False):
    """A user's request that nothing is recorded that occurred before the instant `before`.

    For an opt-out it is FOREVER; for an opt-in the instant of the opt-in, so that everything in
    between stays unrecorded. An opt-in of a user who has not opted out changes nothing.
    """

    user_id: UserId
    before: Instant


class Adoption(msgspec.Struct, frozen=True, gc=False):
    """A request to compute scores by the policy with these `fields` (R14).

    It is only valid while the policy with the version `replaces` is in force.
    """

    fields: dict[str, Any]
    replaces: int


def interaction_of(  # noqa: PLR0913 - an interaction has that many facts; all but three have defaults
    user_id: str,
    issue_id: str,
    kind: str,
    *,
    occurred_at: datetime | None = None,
    linear_id: str | None = None,
    context: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    chat_id: str | None = None,
    source_key: SourceKey | str | None = None,
) -> Interaction:
    """Validate the fields of an interaction and return it.

    Raises InvalidInteractionError, a ValueError, that names the first field that violates R1.
    """
    return Interaction(
        user_id=user_id_of(user_id),
        issue_id=issue_id_of(issue_id),
        kind=kind_of(kind),
        occurred_at=None if occurred_at is None else occurred_at_of(occurred_at),
        linear_id=linear_id_of(linear_id),
        context=context_of(context),
        metadata=_metadata_of(metadata),
        chat_id=None if chat_id is None else chat_id_of(chat_id),
        source_key=_source_key_of(source_key),
    )


def checked(interaction: Interaction) -> Interaction:
    """Validate an interaction that was read from a file, and return it.

    Raises InvalidInteractionError if a field violates R1, or is not in the form that
    `interaction_of` returns.
    """
    at, metadata = interaction.occurred_at, interaction.metadata
    try:
        again = interaction_of(
            interaction.user_id,
            interaction.issue_id,
            interaction.kind.label,
            occurred_at=None if at is None else moment_of(at),
            linear_id=interaction.linear_id,
            context=interaction.context,
            metadata=None if metadata is None else msgspec.json.decode(metadata, type=dict),
            chat_id=interaction.chat_id,
            source_key=interaction.source_key,
        )
    except (OverflowError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInteractionError("interaction", str(error)) from None
    if again != interaction:
        raise InvalidInteractionError("interaction", "is not in canonical form")
    return again


def checked_opt_out(opt_out: OptOut) -> OptOut:
    """Return `opt_out`; raises InvalidInteractionError if its user or instant is invalid."""
    if not EARLIEST <= opt_out.before <= FOREVER:
        raise InvalidInteractionError("before", "must lie in the years 2000 to 9999")
    return OptOut(user_id_of(opt_out.user_id), opt_out.before)


def checked_hiding(hiding: Hiding) -> Hiding:
    """Return `hiding`; raises InvalidInteractionError if a field breaks R1."""
    if hiding.occurred_at is not None and not EARLIEST <= hiding.occurred_at <= FOREVER:
        raise InvalidInteractionError("occurred_at", "must lie in the years 2000 to 9999")
    user_id, issue_id = user_id_of(hiding.user_id), issue_id_of(hiding.issue_id)
    return msgspec.structs.replace(hiding, user_id=user_id, issue_id=issue_id)


def override_of(
    user_id: str, issue_id: str, score: float, *, occurred_at: datetime | None = None
) -> Decision:
    """Validate the fields of an override and return it; raises InvalidScoreError."""
    if not (isinstance(score, int | float) and 0.0 <= score <= 1.0):
        raise InvalidScoreError(score)
    at = None if occurred_at is None else occurred_at_of(occurred_at)
    return Decision(user_id_of(user_id), issue_id_of(issue_id), OVERRIDE, float(score), at)


def hiding_of(
    user_id: str,
    issue_id: str,
    *,
    hidden: bool,
    occurred_at: datetime | None = None,
    source_key: SourceKey | None = None,
) -> Hiding:
    """Validate the fields of a hiding and return it; raises InvalidInteractionError."""
    at = None if occurred_at is None else occurred_at_of(occurred_at)
    return Hiding(
        user_id_of(user_id), issue_id_of(issue_id), hidden, at, _source_key_of(source_key)
    )


def _source_key_of(key: SourceKey | str | None) -> SourceKey | None:
    return key if key is None or isinstance(key, SourceKey) else SourceKey(key)


def occurred_at_of(moment: datetime) -> Instant:
    """Return the instant of `moment`; refuse a naive one and any before 2000."""
    try:
        instant = instant_of(moment)
    except ValueError as error:
        raise InvalidInteractionError("occurred_at", str(error)) from None
    if instant < EARLIEST:
        raise InvalidInteractionError("occurred_at", "must not be before 2000")
    return instant


def check_not_future(occurred_at: Instant, recorded_at: Instant) -> None:
    """Raise FutureInteractionError for an instant more than a day after the recording."""
    if occurred_at > recorded_at + DAY:
        reason = f"{iso(occurred_at)} is more than a day in the future"
        raise FutureInteractionError(reason, occurred_at - recorded_at)


def _metadata_of(metadata: Mapping[str, Any] | None) -> bytes | None:
    if not metadata:
        return None
    try:
        encoded = msgspec.json.encode(dict(metadata), order="sorted")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInteractionError("extra_metadata", f"is not a JSON object: {error}") from None
    if len(encoded) > METADATA_LIMIT_BYTES:
        reason = f"is longer than {METADATA_LIMIT_BYTES} bytes"
        raise InvalidInteractionError("extra_metadata", reason)
    return encoded
