"""The client's interface: EngagementTracker, asynchronous, and IssueEngagementRepository."""

import asyncio
import atexit
import datetime as dt
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self, TypedDict, TypeVar, cast
from weakref import WeakSet

import msgspec
from sqlalchemy.engine import make_url

from ledger.application import configured_url
from ledger.clock import Clock, utc_now
from ledger.commands import Kind, interaction_of
from ledger.errors import OptedOutError
from ledger.idempotency import SourceKey
from ledger.instants import Instant, iso, moment_of
from ledger.store.append import Entry, Outcome, Receipt
from projections.application.engagements import Engagements
from projections.ranking import Ranked
from projections.read_model import queries
from projections.read_model.linear_ids import LinearIds
from projections.read_model.present_queries import PresentEngagements
from projections.statistics import Statistics

# The base of both client interfaces: a given ledger, or the shared one of the process.


class Location(NamedTuple):
    """The key of a shared ledger: the process and the URL."""

    process: int
    url: str


class Shared(NamedTuple):
    """A shared ledger, and the client objects that use it."""

    engagements: Engagements
    doors: "WeakSet[Door]"


# `_lock` guards `_opened` and the clients in it: one thread opens or closes a ledger, which is in
# `_opened` as long as it has a client. It is not taken at exit, when no client is in use.
_lock = threading.Lock()
_opened: dict[Location, Shared] = {}


class Door:
    """A client of a ledger: a given one, or the one that all clients of a process and URL share.

    The environment and `.env` name the shared one. It is opened on first use, and closed when its
    last client is closed, or at exit. A closed client opens it again when it is used again.
    """

    def __init__(
        self, engagements: Engagements | None = None, *, clock: Clock | None = None
    ) -> None:
        """Use `engagements`, which the caller closes, or the shared ones.

        `clock` is for the shared ones; raises TypeError if both are given.
        """
        if engagements is not None and clock is not None:
            raise TypeError("give either engagements, which have a clock of their own, or a clock")
        self._given = engagements
        self._clock = clock
        self._held: tuple[Location, Engagements] | None = None

    @property
    def engagements(self) -> Engagements:
        """The given or shared engagements, which the first use may open; their methods block.

        Raises ValueError if the shared ones are open with another clock than this client's.
        """
        return self._at_hand() or self._open()

    async def _engagements_soon(self) -> Engagements:
        """Return the engagements without blocking the event loop."""
        if (at_hand := self._at_hand()) is not None:
            return at_hand
        return await asyncio.to_thread(self._open)

    def close(self) -> None:
        """Release the shared ledger, which its last client closes; a given one stays open."""
        if self._held is None:
            return
        (location, engagements), self._held = self._held, None
        with _lock:
            shared = _opened.get(location)
            if shared is None:  # closed, or of the process before a fork
                return
            shared.doors.discard(self)
            if not shared.doors and location.process == os.getpid():
                del _opened[location]
                engagements.close()

    def __enter__(self) -> Self:
        """Return self, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close this client."""
        self.close()

    def _at_hand(self) -> Engagements | None:
        if self._given is not None:
            return self._given
        if self._held is None:
            return None
        place, engagements = self._held
        return engagements if place.process == os.getpid() else None

    def _open(self) -> Engagements:
        location = Location(os.getpid(), _absolute(configured_url()))
        with _lock:
            if location not in _opened:
                opened = Engagements(location.url, clock=self._clock or utc_now)
                _opened[location] = Shared(opened, WeakSet())
            engagements, doors = _opened[location]
            if self._clock is not None and self._clock != engagements.clock:
                raise ValueError("the shared ledger is open with another clock: close it first")
            doors.add(self)
            self._held = location, engagements
            return engagements


def _absolute(url: str) -> str:
    """`url` with an absolute path, so that it names the same file from every folder."""
    parsed: Any = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return url
    path = os.path.abspath(parsed.database)  # noqa: PTH100 - which resolves no links
    found: str = parsed.set(database=path).render_as_string(hide_password=False)
    return found


@atexit.register
def _close_all() -> None:
    for location, shared in list(_opened.items()):
        if location.process == os.getpid():
            shared.engagements.close()


# EngagementTracker: the asynchronous client interface.

Answer = TypeVar("Answer")


class EngagementStats(TypedDict):
    """The five totals of a user, under the names of the API."""

    total_interactions: int
    unique_issues: int
    avg_interactions_per_issue: float
    most_engaged_issues: list[str]
    last_interaction: str | None


def engagement_stats(totals: Statistics) -> EngagementStats:
    """Convert `totals` to the form of the API and the command line."""
    last = totals.last_interaction
    return EngagementStats(
        total_interactions=totals.total_interactions,
        unique_issues=totals.unique_issues,
        avg_interactions_per_issue=totals.avg_interactions_per_issue,
        most_engaged_issues=totals.most_engaged_issues,
        last_interaction=None if last is None else iso(last),
    )


class EngagementTracker(Door):
    """The asynchronous client interface; its coroutines do not block the event loop."""

    async def track_issue_mention(  # noqa: PLR0913 - the API's signature
        self,
        user_id: str,
        issue_id: str,
        interaction_type: str,
        linear_id: str | None = None,
        context: str | None = None,
        *,
        source_key: SourceKey | str | None = None,
        occurred_at: dt.datetime | None = None,
        place: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Receipt:
        """Record one interaction durably; a source key that was seen before adds nothing.

        `place` is the id of the chat in which it happened; `metadata`, a JSON object, is kept and
        deleted together with the context. Raises InvalidInteractionError, a ValueError ("Invalid
        interaction_type: …"), for arguments that violate R1, OptedOutError if the user has opted
        out or was forgotten, and LedgerUnavailableError if the ledger cannot be written.
        """
        interaction = interaction_of(
            user_id,
            issue_id,
            interaction_type,
            linear_id=linear_id,
            context=context,
            source_key=source_key,
            occurred_at=occurred_at,
            chat_id=place,
            metadata=metadata,
        )
        engagements = await self._engagements_soon()
        return await engagements.ledger.record_async(interaction)

    async def track_all(self, interactions: Iterable[Entry]) -> list[Outcome]:
        """Record interactions durably, in one transaction; return their outcomes in order.

        Each outcome is what recording the interaction alone would give: its receipt or, in place of
        one, the error that it would raise; then the others are recorded nevertheless. Make the
        interactions with `ledger.commands.interaction_of`; hidings and opt-outs may stand between
        them, and apply to those after them. Raises LedgerUnavailableError or ClockBehindError if
        none is known to be recorded; trying again with the same source keys is safe.
        """
        engagements = await self._engagements_soon()
        return await engagements.ledger.record_many_async(tuple(interactions))

    async def calculate_engagement_score(self, user_id: str, issue_id: str) -> float:
        """Return the score now, 0.0..1.0; 0.5 for a user who never touched the issue."""
        ranked = await self._asked(lambda each: each.questions.ask(user_id, issue_id))
        return ranked.score.value

    async def get_top_engaged_issues(
        self, user_id: str, limit: int = 10
    ) -> list[tuple[str, float]]:
        """Return the first `limit` issues with their scores, the highest first."""
        ranked = await self._asked(lambda each: each.questions.top(user_id, limit))
        return [(each.issue_id, each.score.value) for each in ranked]

    async def get_engagement_stats(self, user_id: str) -> EngagementStats:
        """Return the user's totals; zeros, an empty list and None for an unknown user."""
        return engagement_stats(await self._asked(lambda each: each.questions.statistics(user_id)))

    async def decay_old_engagements(self, days: int = 30) -> int:
        """Bring the read model's score column up to date; return the number idle for longer."""
        return await self._asked(lambda each: each.maintenance.refresh_scores(days))

    async def _asked(self, question: Callable[[Engagements], Answer]) -> Answer:
        """Ask in a thread, which also opens what the question needs."""
        return await asyncio.to_thread(question, await self._engagements_soon())


# IssueEngagementRepository: the synchronous client interface.


class IssueEngagement(msgspec.Struct, frozen=True):
    """An engagement under the names of the API; `engagement_score` is the score at `scored_at`.

    `linear_id` is Linear's UUID as given last, or else as a look-up found it, or else `issue_id`.
    """

    id: int
    user_id: str
    issue_id: str
    linear_id: str
    interaction_type: str
    interaction_count: int
    engagement_score: float
    last_interaction: dt.datetime
    first_interaction: dt.datetime
    context: str | None
    extra_metadata: dict[str, Any] | None
    scored_at: dt.datetime
    policy_version: int


class IssueEngagementRepository(Door):
    """The synchronous client interface, in the terms of the read model; thread-safe."""

    def record_interaction(  # noqa: PLR0913 - the API's signature
        self,
        user_id: str,
        issue_id: str,
        linear_id: str | None,
        interaction_type: str,
        context: str | None = None,
        *,
        extra_metadata: Mapping[str, Any] | None = None,
        source_key: SourceKey | str | None = None,
        occurred_at: dt.datetime | None = None,
    ) -> IssueEngagement:
        """Record one interaction durably and return the engagement that it belongs to.

        Raises the errors of `EngagementTracker.track_issue_mention`.
        """
        interaction = interaction_of(
            user_id,
            issue_id,
            interaction_type,
            linear_id=linear_id,
            context=context,
            metadata=extra_metadata,
            source_key=source_key,
            occurred_at=occurred_at,
        )
        self.engagements.ledger.record(interaction)
        return self._changed(user_id, issue_id)

    def get_engagement(self, user_id: str, issue_id: str) -> IssueEngagement | None:
        """Return the engagement, or None for a user who never touched the issue."""
        shown = self._shown(user_id, [self.engagements.questions.ask(user_id, issue_id)])
        return shown[0] if shown else None

    def get_all_engagements(self, user_id: str, min_score: float = 0.0) -> list[IssueEngagement]:
        """Return all engagements that score at least `min_score`, in their order (R5)."""
        ranked = self.engagements.questions.ranking(user_id)
        return self._shown(user_id, [each for each in ranked if each.score.value >= min_score])

    def get_top_engaged(self, user_id: str, limit: int = 10) -> list[IssueEngagement]:
        """Return the first `limit` engagements in their order (R5)."""
        return self._shown(user_id, self.engagements.questions.top(user_id, limit))

    def update_score(self, user_id: str, issue_id: str, new_score: float) -> IssueEngagement:
        """Override the score's base with `new_score` until a later interaction (R6).

        Raises InvalidScoreError, a ValueError ("Score must be between 0.0 and 1.0, …"), and
        UnknownEngagementError if the user never touched the issue.
        """
        self.engagements.adjustments.override(user_id, issue_id, new_score)
        return self._changed(user_id, issue_id)

    def decay_old_engagements(
        self, user_id: str, days_threshold: int = 30, decay_factor: float = 0.1
    ) -> int:
        """Bring the user's score column up to date; return the number of engagements idle for
        longer.

        `decay_factor` must be the policy's: raises ValueError for another one.
        """
        if not 0.0 <= decay_factor <= 1.0:
            message = f"decay_factor must be between 0.0 and 1.0, not {decay_factor!r}"
            raise ValueError(message)
        in_force = self.engagements.policies.in_force.decay_rate_per_day
        if decay_factor != in_force:
            message = (
                f"decay_factor is {in_force} in the policy in force; scores with another one "
                "need another ScoringPolicy, not another call"
            )
            raise ValueError(message)
        return self.engagements.maintenance.refresh_scores(days_threshold, user_id)

    def _changed(self, user_id: str, issue_id: str) -> IssueEngagement:
        shown = self.get_engagement(user_id, issue_id)
        if shown is None:  # the user was forgotten since
            raise OptedOutError
        return shown

    def _shown(self, user_id: str, ranked: Iterable[Ranked]) -> list[IssueEngagement]:
        now = self.engagements.clock()
        with self.engagements.ledger.database.read() as connection:
            engagements = self.engagements
            theirs = PresentEngagements(
                connection, engagements.ledger.database, user_id, engagements.read_model.moved
            )
            stored = (
                (each, theirs.stored(each.issue_id)) for each in ranked if each.engagement.count
            )
            ids = LinearIds(connection, engagements.ledger.database, theirs.names)
            # Rows that are not found belong to a user who was forgotten between the two reads.
            return [
                _issue_engagement(user_id, each, queries.details_of(connection, found), now, ids)
                for each, found in stored
                if found
            ]


def _issue_engagement(
    user_id: str, ranked: Ranked, details: queries.Details, now: dt.datetime, ids: LinearIds
) -> IssueEngagement:
    issue_id, engagement, current, *_ = ranked
    metadata = details.metadata
    return IssueEngagement(
        id=details.id,
        user_id=user_id,
        issue_id=issue_id,
        linear_id=engagement.linear_id or ids.of(issue_id) or issue_id,
        interaction_type=Kind(cast("int", engagement.last_kind)).label,
        interaction_count=engagement.count,
        engagement_score=current.value,
        last_interaction=moment_of(cast("Instant", engagement.last_at)),
        first_interaction=moment_of(cast("Instant", engagement.first_at)),
        context=details.context,
        extra_metadata=None if metadata is None else msgspec.json.decode(metadata),
        scored_at=now,
        policy_version=details.policy_version,
    )
