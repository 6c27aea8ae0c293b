"""EngagementLedger: the only interface to write and read events."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent
from eventsourcing.utils import Environment, EnvType
from sqlalchemy import Connection, func, select

from ledger import codec, store, verification
from ledger.application.clock_history import ClockHistory
from ledger.clock import Clock, utc_now
from ledger.commands import Interaction
from ledger.errors import LedgerError
from ledger.events import Event
from ledger.idempotency import pseudonym
from ledger.instants import Instant, instant_of
from ledger.store import tables
from ledger.store.accounts import IS_USER, User, changed_names, rename_users, users
from ledger.store.append import Appender, Entry, Outcome, Receipt
from ledger.store.clock_corrections import correct
from ledger.store.database import Database
from ledger.store.erasure import apply_barriers, erase
from ledger.store.eventsourcing_adapter import (
    DATABASE_URL,
    PATIENCE,
    StoreApplicationRecorder,
    StoreFactory,
)
from ledger.store.group_commit import GroupCommit
from ledger.store.job_runs import JobRuns
from ledger.store.linear_links import LinearLinks
from ledger.store.opt_outs import OptOuts
from ledger.store.places import migrate, migrations
from ledger.store.projection import IssueKeys, Projection
from ledger.store.sqlite import PATIENCE_SECONDS
from ledger.store.streams import Streams
from ledger.validation import chat_id_of, display_name_of, reason_of, user_id_of

if TYPE_CHECKING:
    from ledger.archive.segment_store import Archive
    from ledger.intake.preview import Preview


class LedgerMapper(Mapper[UUID]):
    """Maps the ledger's events by the codec; any topic that is not on its list is refused."""

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Return the event in its canonical bytes."""
        event = cast("Event", domain_event)
        return StoredEvent(
            event.originator_id,
            event.originator_version,
            codec.topic_of(event),
            codec.encode(event),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """Decode a stored event; raises UnknownTopicError."""
        return codec.decode(
            stored_event.topic,
            cast("UUID", stored_event.originator_id),
            stored_event.originator_version,
            stored_event.state,
        )


class EngagementLedger(Application[UUID]):
    """An append-only ledger of interactions and overrides.

    `projection` folds recorded events in the background. All methods may be called from any
    thread; those that write raise LedgerUnavailableError when the database cannot be written, after
    which trying again with the same source key is safe.
    """

    def __init__(
        self,
        url: str,
        *,
        projection: Projection,
        clock: Clock = utc_now,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Open the ledger at the SQLAlchemy `url`; a missing one is created.

        After a backup was restored, later deletions and opt-outs are applied again before this
        returns. Raises LedgerLostError if the file is missing but its archive, log or barriers
        are there. Writing waits at most `patience_seconds` for another process.
        """
        self._clock = clock
        self._projection = projection
        super().__init__(
            {
                "PERSISTENCE_MODULE": "ledger.store",
                DATABASE_URL: url,
                PATIENCE: str(patience_seconds),
            }
        )
        self._appender = Appender(self.database, projection, clock)
        apply_barriers(self.database, projection, self._appender.secret, instant_of(clock()))
        self._group_commit = GroupCommit[Sequence[Entry], list[Outcome]](self._append_all)

    @property
    def database(self) -> Database:
        """The transactions of this ledger's database."""
        return cast("StoreFactory", self.factory).database

    @property
    def archive(self) -> "Archive":
        """The segments, which hold the sealed events."""
        return self.database.archive

    @property
    def job_runs(self) -> JobRuns:
        """The runs of scheduled jobs, by logical day."""
        return JobRuns(self.database)

    @property
    def linear_links(self) -> LinearLinks:
        """Which users are which Linear users."""
        return LinearLinks(self.database, self._appender.secret, self._clock)

    @property
    def clock_history(self) -> ClockHistory:
        """The instants in the ledger, which show whether a clock can be trusted."""
        return ClockHistory(self.database)

    def record(self, entry: Entry) -> Receipt:
        """Record durably and return the receipt; concurrent calls share commits.

        Raises OptedOutError if the user has opted out or was forgotten, UnknownEngagementError for
        an override or a hiding of an issue that the user never touched, and PolicyConflictError for
        an adoption that replaces a former policy.
        """
        return _receipt(self._group_commit.submit((entry,)))

    async def record_async(self, entry: Entry) -> Receipt:
        """Record as `record` does, without blocking the event loop."""
        return _receipt(await self._group_commit.submit_async((entry,)))

    def record_many(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Record in one transaction; a refused one is an error among the outcomes."""
        return self._group_commit.submit(tuple(entries))

    async def record_many_async(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Record as `record_many` does, without blocking the event loop."""
        return await self._group_commit.submit_async(tuple(entries))

    def record_bulk(self, interactions: Sequence[Interaction]) -> dict[int, Outcome]:
        """Record interactions of a history in one transaction, several times as fast.

        Returns, by their numbers, the outcomes of those that are not recorded for certain, such as
        refused ones; all others are counted.
        """
        from ledger.store.append import append_bulk  # noqa: PLC0415 - recording needs none

        return append_bulk(self._appender, interactions)

    def preview(self) -> "Preview":
        """A recorder that returns the outcomes of `record_bulk` without recording anything."""
        from ledger.intake.preview import Preview  # noqa: PLC0415 - recording needs none

        def issue_keys(connection: Connection) -> IssueKeys:
            return self._projection.names(connection, self.database)

        return Preview(self._clock, self.database, self._appender.secret, issue_keys)

    def name_users(self, names: Mapping[str, str]) -> None:
        """Replace display names, given by user id; `ledger.validation` cleans them.

        Only an account has a name, and loses it when its user is forgotten. Users without an
        account are skipped, as are names of which nothing is left after cleaning.
        """
        cleaned = {user: display_name_of(name) for user, name in names.items()}
        new = {user: name for user, name in cleaned.items() if name is not None}
        with self.database.read() as connection:
            new = changed_names(connection, new)
        if new:
            with self.database.write() as connection:
                rename_users(connection, new)

    def pseudonym_of(self, address: str) -> str:
        """The user id in this ledger for a person with `address`; see `pseudonym`."""
        return pseudonym(address, self._appender.secret)

    def erase(self, user_id: str) -> Instant:
        """Forget the user: delete account, texts, digests and read model; the events stay.

        Returns the instant: nothing of the user's that occurred before it is ever recorded again.
        No byte of the deleted rows is left in the database's files; writers wait while the file is
        rewritten. Raises TracesLeftError if the rows were deleted but copies may be left; calling
        it again finishes. For an unknown user only the barrier is set.
        """
        user, at = user_id_of(user_id), instant_of(self._clock())
        erase(self.database, self._projection, self._appender.secret, user, at)
        return at

    def expire_origins(self, before: Instant) -> int:
        """Delete the origins of events recorded before an instant; return their number."""
        return store.retention.expire(self.database, before)

    def correct_clock(self, reason: str) -> int:
        """Record that the clock had run ahead and is right now; return the number of job days that
        are due again.

        Earlier events count as recorded by now at the latest (R8). Other writers wait while every
        event is folded again. Raises ClockNotAheadError if the ledger is not ahead,
        InvalidReasonError, and LedgerDamagedError if an event is damaged: folding it would spread
        the damage.
        """
        verification.truth.expect_sound(self.database)
        at = instant_of(self._clock())
        return correct(self.database, self._projection, at, reason_of(reason))

    def fold(self) -> None:
        """Fold all recorded events into the projection; others can record between its steps."""
        self._appender.fold()

    @property
    def compactor(self) -> "store.compaction.Compactor":
        """The object that moves events of this ledger into its archive."""
        return store.compaction.Compactor(self.database, self._projection, self._clock)

    def is_opted_out(self, user_id: str, at: Instant) -> bool:
        """Whether a barrier of the user keeps out what occurred at `at`."""
        user = user_id_of(user_id)
        with self.database.read() as connection:
            return self._opt_outs(connection).refuses(user, at)

    def knows(self, user_id: str) -> bool:
        """Whether the user has an account, or ever opted out or was forgotten."""
        user = user_id_of(user_id)
        with self.database.read() as connection:
            if Streams(connection).known(user) is not None:
                return True
            return self._opt_outs(connection).knows(user)

    def has_account(self, user_id: str) -> bool:
        """Whether anything is recorded under this user's id."""
        user = user_id_of(user_id)
        with self.database.read() as connection:
            return Streams(connection).known(user) is not None

    def users(self) -> list[User]:
        """Return all users, and the names of those who have one.

        People whom only Linear names are no users.
        """
        with self.database.read() as connection:
            return users(connection)

    def migrate_chat(self, old: str, new: str) -> None:
        """Make the chat id `new` stand for the place of `old`; idempotent.

        If `new` already has a place, that is the place of both from now on.
        """
        old, new = chat_id_of(old), chat_id_of(new)
        with self.database.write() as connection:
            migrate(connection, old, new)

    def migrations(self) -> dict[str, str]:
        """Return the present chat ids by former ones."""
        with self.database.read() as connection:
            return migrations(connection)

    def spans_at(self, chat_id: str) -> dict[str, "store.event_queries.Span"]:
        """Return the first and last instant of each user's interactions in a chat, by user id.

        The chat is given by its present or a former id. All events are read, unless it is unknown.
        """
        with self.database.read() as connection:
            return store.event_queries.spans_at(connection, self.archive, chat_id)

    def size(self) -> tuple[int, int]:
        """The number of events, and of users."""
        with self.database.read() as connection:
            users = connection.scalar(
                select(func.count()).select_from(tables.accounts).where(IS_USER)
            )
            return connection.scalar(select(tables.head.c.position)) or 0, users or 0

    def history(self, user_id: str) -> Iterator["store.event_queries.HistoryEntry"]:
        """Yield the user's events, the earliest first; at one instant as they were recorded."""
        query = store.user_history.HistoryQuery(user_id_of(user_id))
        with self.database.read() as connection:
            yield from store.user_history.history_of_user(connection, self.archive, query)

    def close(self) -> None:
        """Finish what was submitted and close the database."""
        if hasattr(self, "_group_commit"):
            self._group_commit.close()
            self._appender.close()
        super().close()

    def _append_all(self, groups: Sequence[Sequence[Entry]]) -> list[list[Outcome]]:
        """Append what callers want recorded together, all of it in one transaction."""
        outcomes = iter(self._appender.append(list(chain.from_iterable(groups))))
        return [list(islice(outcomes, len(group))) for group in groups]

    def _opt_outs(self, connection: Connection) -> OptOuts:
        return OptOuts(connection, self._appender.secret, self.database.barriers)

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Use the constructor's arguments, and nothing from the process's environment."""
        return Environment(name, dict(env or {}))

    def construct_mapper(self) -> Mapper[UUID]:
        """A mapper that only knows the ledger's events."""
        return LedgerMapper(self.construct_transcoder())

    def construct_recorder(self) -> StoreApplicationRecorder:
        """A recorder with this ledger's clock."""
        return StoreApplicationRecorder(self.database, self._clock)


def _receipt(outcomes: Sequence[Outcome]) -> Receipt:
    """The receipt of a single entry; raises its refusal."""
    (outcome,) = outcomes
    if isinstance(outcome, LedgerError):
        raise outcome
    return outcome
